"""What is laid by hand for speed equals what the schemas say."""

from __future__ import annotations

import json
import math
from dataclasses import fields

import numpy as np

from tests.telemetry.numpy_server import anomalies, anomaly_spec, forecast_spec, persistence
from vss.codecs.event_id import event_id
from vss.codecs.events import decode_event, encode_event
from vss.codecs.headers import event_headers, format_time
from vss.model_store.tasks.series.results import AnomalyScores, Forecasts
from vss.schemas.envelope import Record
from vss.schemas.events import SourceCoordinates
from vss.schemas.telemetry import AffectedFeature, AnomalyEvent, ForecastEvent, WindowSpan
from vss.streams.windows.batch import Windows
from vss.workers.telemetry.events import AnomalyFindings, EventWriter, Findings, ForecastFindings, ScoredGroup

NOW_NS = 1_700_000_100_123_456_789
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
VALUES = np.array(
    [[[1, 30], [1, 30], [1, 30], [1, 30]], [[1, 30], [1, 30], [1, 30], [9, 31]], [[0.1, 7], [2, 6], [3, 5], [1e-7, 4]]],
    np.float32,
)
ENDS = np.array([1_700_000_003_000, 1_700_000_004_001, 1_800_000_000_999])


def group(value: AnomalyScores | Forecasts) -> ScoredGroup:
    records = [
        Record("vss.telemetry", 2, 7, b"pump-1", b"{}"),
        Record("vss.telemetry", 2, 9, 'Pümpe "2"'.encode(), b"{}", (("traceparent", TRACE.encode()),)),
        Record("vss.telemetry", 3, 1 << 40, b"pump-1", b"{}", (("ce_id", b"mine"), ("traceparent", b"none"))),
    ]
    windows = Windows(VALUES, np.zeros(3, np.int64), np.array([3, 1, 5]), ENDS - 3000, ENDS)
    return ScoredGroup(records, windows, np.array([0, 2, 0], np.int32), "pump", "2", 0.00123456789, 0.5, value)


def common(of: ScoredGroup, i: int) -> dict[str, object]:
    record = of.records[i]
    end = format_time(int(ENDS[i]) * 1_000_000)
    start = format_time(int(ENDS[i] - 3000) * 1_000_000)
    return {
        "id": event_id(record, "pump", "2"),
        "sensor_id": (record.key or b"").decode(),
        "captured_at": end,
        "window": WindowSpan(readings=4, first_offset=[3, 1, 5][i], start=start, end=end, imputed=[0, 2, 0][i]),
        "model_name": "pump",
        "model_version": "2",
        "inference_time": 0.001235,
        "processing_time": 0.5,
        "timestamp": format_time(NOW_NS),
        "source": SourceCoordinates(record.topic, record.partition, record.offset),
    }


def written(findings: Findings, of: ScoredGroup) -> list[bytes]:
    writer = EventWriter(findings, topic_prefix="vss.", group="night")
    return [message.value or b"" for message in writer.messages(of, NOW_NS)]


def test_an_anomaly_event_is_that_of_the_schema() -> None:
    value = anomalies(VALUES, anomaly_spec())
    of = group(value)
    assert value.is_anomaly.tolist() == [False, True, True]
    for i, found in enumerate(written(AnomalyFindings(), of)):
        shares = sorted(zip(value.shares[i].tolist(), value.features, strict=True), reverse=True)
        expected = AnomalyEvent(
            **common(of, i),  # type: ignore[arg-type]  # fields of every event
            is_anomaly=bool(value.is_anomaly[i]),
            anomaly_score=float(value.score[i]),
            threshold=1.0,
            confidence=float(value.confidence[i]),
            affected_features=tuple(
                AffectedFeature(feature=name, share=share) for share, name in shares if value.is_anomaly[i]
            ),
            severity=("none", "critical", "medium")[i],
        )
        same(found, expected)


def test_a_forecast_event_is_that_of_the_schema() -> None:
    value = persistence(VALUES, forecast_spec())
    of = group(value)
    for i, found in enumerate(written(ForecastFindings(), of)):
        columns = [(name, j) for j, name in enumerate(value.features)]
        expected = ForecastEvent(
            **common(of, i),  # type: ignore[arg-type]  # fields of every event
            horizon=2,
            times=tuple(format_time(int(ENDS[i] + step * 1000) * 1_000_000) for step in (1, 2)),
            predictions={name: tuple(value.forecast[i, :, j].tolist()) for name, j in columns},
            confidence_intervals={
                name: tuple(zip(value.lower[i, :, j].tolist(), value.upper[i, :, j].tolist(), strict=True))
                for name, j in columns
            },
            confidence_level=0.9,
        )
        same(found, expected)


def same(found: bytes, expected: AnomalyEvent | ForecastEvent) -> None:
    """The same document: the same names in the same order, and the same values but for a float32's digits."""
    event = decode_event(type(expected), found)
    assert names(json.loads(found)) == names(json.loads(encode_event(expected)))
    for one in fields(expected):
        assert near(getattr(event, one.name), getattr(expected, one.name)), one.name


def names(document: object) -> object:
    if isinstance(document, dict):
        return [(name, names(value)) for name, value in document.items()]
    return [names(value) for value in document] if isinstance(document, list) else type(document).__name__


def near(found: object, expected: object) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-6)
    if isinstance(found, tuple) and isinstance(expected, tuple):
        return len(found) == len(expected) and all(near(a, b) for a, b in zip(found, expected, strict=True))
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(near(found[key], expected[key]) for key in found)
    if isinstance(found, AffectedFeature) and isinstance(expected, AffectedFeature):
        return found.feature == expected.feature and near(found.share, expected.share)
    return found == expected


def test_headers_are_those_of_every_event() -> None:
    of = group(anomalies(VALUES, anomaly_spec()))
    writer = EventWriter(AnomalyFindings(), topic_prefix="vss.", group="night")
    traces = [None, TRACE, None]
    for message, record, trace in zip(writer.messages(of, NOW_NS), of.records, traces, strict=True):
        assert message.topic == "vss.anomalies"
        assert message.key == record.key
        assert message.headers == event_headers(
            id=event_id(record, "pump", "2"),
            type="vss.anomaly.v1",
            source="/groups/night",
            time=format_time(NOW_NS),
            traceparent=trace,
        )


def test_a_number_has_as_many_digits_as_tell_it_from_its_neighbours() -> None:
    of = group(persistence(VALUES, forecast_spec()))
    found = json.loads(written(ForecastFindings(), of)[2])
    assert found["predictions"]["pressure"] == [1e-7, 1e-7]
    assert b"0.10000000149" not in written(ForecastFindings(), of)[2]
