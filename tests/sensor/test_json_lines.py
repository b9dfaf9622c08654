from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.sensor.rig import SensorRig
from vss.errors import SourceUnreadable
from vss.testing import ManualClock
from vss.workers.sensor.json_reading import JsonReadings
from vss.workers.sensor.sample import Sample, Unreadable

NOW_MS = 1_700_000_000_000


def read(tmp_path: Path, content: bytes, **options: Any) -> list[Sample | Unreadable]:
    file = tmp_path / "pump.jsonl"
    file.write_bytes(content)
    stream = SensorRig(ManualClock()).recognise(str(file), **options).open()
    try:
        found: list[Sample | Unreadable] = []
        while (batch := stream.read()) is not None:
            found += batch
        return found
    finally:
        stream.close()


def one(tmp_path: Path, document: object, **options: Any) -> Sample:
    (found,) = read(tmp_path, json.dumps(document).encode(), **options)
    assert isinstance(found, Sample), found
    return found


def test_the_fleets_own_schema_and_a_flat_object(tmp_path: Path) -> None:
    assert one(tmp_path, {"sensor_id": "a", "ts": NOW_MS + 5, "values": {"p": 1, "q": None}}) == Sample(
        "a", NOW_MS + 5, {"p": 1, "q": None}
    )
    flat = {"timestamp": "2023-11-14T22:13:20Z", "p": 1, "q": None, "unit": "bar", "on": True}
    assert one(tmp_path, flat) == Sample("pump", NOW_MS, {"p": 1, "q": None})


def test_fields_are_chosen_and_named_anew(tmp_path: Path) -> None:
    document = {"at": NOW_MS // 1000, "machine": 7, "P1": 1.5, "P2": 2}
    options = {"time_column": "at", "sensor_column": "machine", "map": {"pressure": "P1"}}
    assert one(tmp_path, document, **options) == Sample("7", NOW_MS, {"pressure": 1.5})


def test_an_object_without_a_time_is_of_now(tmp_path: Path) -> None:
    assert one(tmp_path, {"p": 1}) == Sample("pump", NOW_MS, {"p": 1})


@pytest.mark.parametrize(
    ("line", "options", "why"),
    [
        (b"{", {}, "no JSON"),
        (b"[1]", {}, "no JSON object"),
        (b'{"ts": "x", "p": 1}', {}, "'x' is no time"),
        (b'{"ts": null, "p": 1}', {}, "no time"),
        (b'{"p": 1}', {"time_column": "at"}, "there is no 'at' in it"),
        (b'{"p": 1}', {"sensor_column": "id"}, "there is no 'id' in it"),
        (b'{"sensor_id": "", "p": 1}', {}, "cannot be a sensor's id"),
        (b'{"sensor_id": "a\\u0000b", "p": 1}', {}, "cannot be a sensor's id"),
        (b'{"sensor_id": ["a"], "p": 1}', {}, "cannot be a sensor's id"),
        (b'{"values": {"p": "much"}}', {}, "'p': 'much' is no number"),
        (b'{"values": {"p": true}}', {}, "'p': 'True' is no number"),
        (b'{"p": "much"}', {"features": "p"}, "'p': 'much' is no number"),
        (b'{"p": "\xff"}', {}, "no JSON"),
        (b'{"p": "' + b"x" * 70_000 + b'"}', {}, "longer than 65536 bytes"),
    ],
)
def test_a_line_that_is_no_reading_costs_itself_alone(
    tmp_path: Path, line: bytes, options: dict[str, Any], why: str
) -> None:
    good = b'{"at": 1700000000, "id": "a", "p": 1}'
    first, bad, last = read(tmp_path, b"\n".join([good, line, b"", good]), **options)
    assert isinstance(first, Sample)
    assert isinstance(last, Sample)
    assert isinstance(bad, Unreadable)
    assert "pump.jsonl, line 2: " in bad.why
    assert why in bad.why


@pytest.mark.parametrize("content", [b"", b"\n\n", b"nonsense\nmore\n", b"x" * 200_000])
def test_a_file_without_any_reading_is_no_source(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceUnreadable) as caught:
        read(tmp_path, content)
    assert "no reading in" in str(caught.value)
    assert ("line 1" in str(caught.value)) == bool(content.strip())


def test_a_pipe_is_read_as_it_comes_and_may_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    real_dup = os.dup
    monkeypatch.setattr(os, "dup", lambda descriptor: real_dup(reader if descriptor == 0 else descriptor))
    stream = SensorRig().recognise("-").open()
    try:
        assert stream.read() == ()
        os.write(writer, b'{"p": 1}\n{"p"')
        assert [one.values for one in stream.read() or () if isinstance(one, Sample)] == [{"p": 1}]
        os.write(writer, b": 2}")
        assert stream.read() == []
        threading.Timer(0.1, os.close, [writer]).start()
        while not (batch := stream.read()):
            assert batch is not None
        assert [one.values for one in batch if isinstance(one, Sample)] == [{"p": 2}]
        assert stream.read() is None
    finally:
        stream.close()
        os.close(reader)


def test_a_huge_number_is_no_number_of_ours() -> None:
    readings = JsonReadings("pump", ManualClock())
    assert readings.decode(b'{"p": 1e308}').values == {"p": 1e308}
