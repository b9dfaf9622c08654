"""What becomes of each record, on a table that is a dict."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from tests.workers.small_fleet import SILENT
from vss.codecs.events import decode_event, encode_event
from vss.codecs.readings import ReadingLimits
from vss.config import KafkaSettings, Limits
from vss.metrics import Metrics
from vss.schemas.aggregates import AggregateEvent
from vss.schemas.envelope import Message, Record
from vss.schemas.events import DetectedObject, DetectionEvent, SourceCoordinates
from vss.streams.aggregates.aggregator import Aggregator
from vss.streams.aggregates.inputs import CameraObjects, Measure, SensorReadings
from vss.streams.aggregates.tumbling import Spans
from vss.testing import ManualClock

START_MS = 1_700_000_000_000
LIMITS = ReadingLimits.of(Limits())


class Bench:
    def __init__(self, measure: Measure | None = None, **changes: Any) -> None:
        self.table: dict[bytes, bytes] = {}
        self.written: list[Message] = []
        self.metrics = Metrics()
        self.fails = False
        self.aggregator = Aggregator(
            measure if measure is not None else SensorReadings(LIMITS),
            spans=Spans((10_000,), grace_ms=0),
            table=self.table,
            write=self._write,
            settings=KafkaSettings(),
            group="g",
            metrics=self.metrics,
            clock=ManualClock(),
            logger=SILENT,
            **{"silence_ms": 60_000, "max_keys": 100, **changes},
        )

    async def _write(self, messages: Sequence[Message]) -> None:
        if self.fails:
            raise ConnectionError("the broker is away")
        self.written += messages

    def take(self, *records: Record) -> None:
        async def all_of_them() -> None:
            for record in records:
                await self.aggregator.take(record)

        asyncio.run(all_of_them())

    def events(self) -> list[AggregateEvent]:
        return [decode_event(AggregateEvent, m.value) for m in self.written if m.topic == "vss.aggregates"]

    def counted(self, result: str, source: str = "sensor") -> float:
        labels = {"source": source, "result": result}
        return self.metrics.registry.get_sample_value("vss_aggregate_records_total", labels) or 0


def reading(offset: int, second: float, key: str = "s", **values: float | None) -> Record:
    document = {"sensor_id": key, "ts": int(START_MS + second * 1000), "values": values}
    return Record("vss.telemetry", 0, offset, key.encode(), orjson.dumps(document))


def test_a_span_that_is_over_gives_an_event_a_feature() -> None:
    bench = Bench()
    bench.take(reading(0, 0, a=1, b=5), reading(1, 4, a=3), reading(2, 9, a=2, b=None), reading(3, 10, a=9))
    a, b = bench.events()
    assert (a.name, a.count, a.sum, a.min, a.mean, a.max, a.last) == ("a", 3, 6, 1, 2, 3, 2)
    assert (b.name, b.count, b.last) == ("b", 1, 5)
    assert (a.start, a.end, a.width_s) == ("2023-11-14T22:13:20.000000Z", "2023-11-14T22:13:30.000000Z", 10)
    assert (a.source_id, a.kind, a.source) == ("s", "sensor", SourceCoordinates("vss.telemetry", 0, 2))
    assert [m.key for m in bench.written] == [b"s", b"s"]
    assert dict(bench.written[0].headers)["ce_id"] == a.id.encode()
    assert a.id != b.id


def test_what_is_read_again_after_a_crash_counts_once() -> None:
    bench = Bench()
    records = [reading(0, 0, a=1), reading(1, 5, a=2), reading(2, 10, a=3), reading(3, 20, a=4)]
    bench.take(*records[:3])
    bench.take(*records)
    assert [event.sum for event in bench.events()] == [3, 3]
    assert bench.counted("known") == 3


def test_an_event_that_could_not_be_written_is_written_again_with_the_same_id() -> None:
    bench = Bench()
    bench.take(reading(0, 0, a=1))
    bench.fails = True
    with pytest.raises(ConnectionError):
        bench.take(reading(1, 10, a=2))
    bench.fails = False
    bench.take(reading(1, 10, a=2))
    [event] = bench.events()
    assert (event.count, event.sum) == (1, 1)


def test_a_bad_reading_is_a_dead_letter_and_its_neighbours_count() -> None:
    bench = Bench()
    bad = Record("vss.telemetry", 0, 1, b"s", b'{"ts": 1, "values": {"a": "high"}}')
    bench.take(reading(0, 0, a=1), bad, reading(2, 10, a=2))
    assert [event.sum for event in bench.events()] == [1]
    [letter] = [m for m in bench.written if m.topic == "vss.dlq"]
    assert letter.value == bad.value
    assert dict(letter.headers)["__connect.errors.offset"] == b"1"


def test_nan_and_null_are_no_values() -> None:
    bench = Bench()
    nan = Record("vss.telemetry", 0, 1, b"s", b'{"ts": %d, "values": {"a": NaN}}' % START_MS)
    bench.take(reading(0, 0, a=1), nan, reading(2, 10, a=2))
    assert [(event.count, event.sum) for event in bench.events()] == [(1, 1)]


def test_one_source_too_many_is_a_dead_letter_that_says_so() -> None:
    bench = Bench(max_keys=1)
    bench.take(reading(0, 0, "s", a=1), reading(1, 0, "t", a=1))
    [letter] = bench.written
    assert b"as many as windows.max_keys allows" in (dict(letter.headers)["__connect.errors.exception.message"] or b"")


def test_a_sensor_that_falls_silent_is_told_of_by_its_neighbours_time() -> None:
    bench = Bench()
    bench.take(reading(0, 0, "silent", a=7), reading(1, 0, "t", a=1))
    bench.take(*(reading(2 + i, 10 * i, "t", a=1) for i in range(9)))
    silent = [event for event in bench.events() if event.source_id == "silent"]
    assert [(event.count, event.sum) for event in silent] == [(1, 7)]


def test_a_table_that_was_restored_knows_who_fell_silent() -> None:
    bench = Bench()
    bench.take(reading(0, 0, "silent", a=7))
    heir = Bench()
    heir.table.update(bench.table)
    heir.aggregator.restored()
    heir.take(*(reading(1 + i, 10 * i, "t", a=1) for i in range(9)))
    assert [event.sum for event in heir.events() if event.source_id == "silent"] == [7]


def detection(offset: int, second: float, *classes: str) -> Record:
    objects = tuple(
        DetectedObject(class_=name, class_id=0, confidence=0.9, bbox=(0, 0, 1, 1), center=(0.5, 0.5))
        for name in classes
    )
    event = DetectionEvent(
        id=str(offset),
        camera_id="gate",
        captured_at=f"2026-11-25T08:00:{second:09.6f}Z",
        epoch=None,
        seq=None,
        width=10,
        height=10,
        model_name="m",
        model_version="1",
        inference_time=0.0,
        processing_time=0.0,
        timestamp="2026-11-25T08:00:00Z",
        source=SourceCoordinates("vss.frames", 0, offset),
        objects=objects,
        total_objects=len(objects),
    )
    return Record("vss.detections", 0, offset, b"gate", encode_event(event))


def test_objects_are_counted_by_class_and_a_frame_without_counts_as_none() -> None:
    bench = Bench(CameraObjects())
    bench.take(
        detection(0, 0, "car", "car", "person"), detection(1, 1), detection(2, 2, "car"), detection(3, 10, "person")
    )
    found = {event.name: event for event in bench.events()}
    assert {n: (e.count, e.sum, e.min, e.mean, e.max, e.last) for n, e in found.items()} == {
        "*": (3, 4, 0, 4 / 3, 3, 1),
        "car": (3, 3, 0, 1, 2, 1),
        "person": (3, 1, 0, 1 / 3, 1, 0),
    }
    assert found["car"].kind == "camera"


def test_a_detection_that_is_none_is_a_dead_letter() -> None:
    bench = Bench(CameraObjects())
    bench.take(Record("vss.detections", 0, 0, b"gate", b"{}"))
    assert [m.topic for m in bench.written] == ["vss.dlq"]
