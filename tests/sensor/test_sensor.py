"""Sensors on Kafka's twin in memory, with a clock that moves when somebody waits."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest
from structlog.typing import EventDict

from tests.ingest.rig import wait_until
from tests.sensor.rig import SensorRig
from tests.sensor.scripted_source import ScriptedSource, Step, sample
from vss.codecs.readings import ReadingLimits, decode_readings
from vss.config import Limits
from vss.errors import SourceUnavailable, SourceUnreadable
from vss.schemas.envelope import Message
from vss.testing import ManualClock
from vss.workers.ingest.status import State
from vss.workers.sensor.sample import Unreadable

NOW_MS = 1_700_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS * 1_000_000)


@pytest.fixture
def timed(clock: ManualClock) -> SensorRig:
    return SensorRig(clock)


def table(folder: Path, times_s: list[float], name: str = "pump.csv") -> str:
    file = folder / name
    file.write_text("ts,n\n" + "".join(f"{time},{i}\n" for i, time in enumerate(times_s)))
    return str(file)


def times(rig: SensorRig) -> list[int]:
    return [reading["ts"] for reading in rig.readings()]


def test_a_reading_carries_everything_known_about_it(timed: SensorRig) -> None:
    timed.run(
        timed.sensor(ScriptedSource([[[sample(NOW_MS, "a", p=1.5), sample(NOW_MS + 123, "ü", q=2)]]], live=False))
    )
    _, record = timed.records()
    assert record.key == "ü".encode()
    assert json.loads(record.value or b"") == {"sensor_id": "ü", "ts": NOW_MS + 123, "values": {"q": 2}}
    headers = {name: (value or b"").decode() for name, value in record.headers}
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", headers.pop("traceparent"))
    assert headers == {
        "ce_specversion": "1.0",
        "ce_type": "vss.reading.v1",
        "ce_id": f"{NOW_MS}-1",
        "ce_source": "/sensors/ü",
        "ce_time": "2023-11-14T22:13:20.123000Z",
        "content-type": "application/json",
        "datacontenttype": "application/json",
        "vss_epoch": str(NOW_MS),
        "vss_seq": "1",
    }


def test_workers_read_what_sensors_write(timed: SensorRig, tmp_path: Path) -> None:
    file = tmp_path / "pump.csv"
    file.write_text("ts,p,q\n1700000000.5,1.5,NaN\n1700000001,-2e-9,7\n")
    timed.run(timed.sensor(str(file), speed="max"))
    records = timed.records()
    decoded = decode_readings(
        [record.value for record in records],
        [record.key for record in records],
        [NOW_MS for _ in records],
        ReadingLimits.of(Limits()),
    )
    assert decoded.errors == {}
    assert decoded.ts_ms.tolist() == [NOW_MS + 500, NOW_MS + 1000]
    assert decoded.values == [{"p": 1.5, "q": None}, {"p": -2e-9, "q": 7.0}]


@pytest.mark.parametrize(("speed", "seconds"), [(1, 90), (10, 9), (0.5, 180), ("max", 0)])
def test_a_file_keeps_its_own_pace_or_that_times_a_factor(
    timed: SensorRig, clock: ManualClock, tmp_path: Path, speed: float | str, seconds: float
) -> None:
    sensor = timed.run(timed.sensor(table(tmp_path, [0, 1, 30, 90]), speed=speed))
    assert clock.monotonic() == pytest.approx(seconds, abs=1e-3)
    assert times(timed) == [0, 1000, 30_000, 90_000]
    report = sensor.report()
    assert (report.state, report.exit_code) == (State.FINISHED, 0)
    assert (report.tally.captured, report.tally.published, report.tally.dropped) == (4, 4, {})


def test_times_are_moved_to_now(timed: SensorRig, tmp_path: Path) -> None:
    timed.run(timed.sensor(table(tmp_path, [5, 6, 7.5]), speed="max", from_now=True))
    assert times(timed) == [NOW_MS, NOW_MS + 1000, NOW_MS + 2500]


@pytest.mark.parametrize("from_now", [True, False])
def test_in_a_loop_time_goes_on_where_the_file_ended(timed: SensorRig, tmp_path: Path, from_now: bool) -> None:
    sensor = timed.sensor(table(tmp_path, [5, 6, 7]), speed="max", from_now=from_now, loop=True, buffer=10)
    sensor.start()
    wait_until(lambda: len(timed.records()) > 20)
    timed.stop(sensor)
    start_ms = NOW_MS if from_now else 5000
    found = times(timed)
    assert found == [start_ms + i * 1000 for i in range(len(found))]
    assert timed.metric("vss_sensor_gaps_total") == 0
    tally = sensor.report().tally
    assert tally.captured == tally.published + sum(tally.dropped.values())
    assert set(tally.dropped) <= {"stopped"}


def test_irregular_times_are_counted(timed: SensorRig, log_lines: list[EventDict]) -> None:
    steps = [0, 1, 2, 6, 5, 7, 107, 108, 8, 9]
    script: list[Step] = [[sample(NOW_MS + second * 1000) for second in steps]]
    timed.run(timed.sensor(ScriptedSource([script], live=False), speed="max", period_ms=1000))
    assert timed.metric("vss_sensor_gaps_total") == 1
    assert timed.metric("vss_sensor_missing_periods_total") == 3
    assert timed.metric("vss_sensor_out_of_order_total") == 1
    assert timed.metric("vss_sensor_clock_jumps_total", direction="forward") == 1
    assert timed.metric("vss_sensor_clock_jumps_total", direction="backward") == 1
    said = [line for line in log_lines if line["event"].startswith("a sensor's clock jumped")]
    assert [line["by_s"] for line in said] == [100, -100]
    assert len(timed.records()) == 10  # counted, and published all the same


def test_a_live_sensors_silence_is_a_gap_and_no_jump(timed: SensorRig, clock: ManualClock) -> None:
    script: list[Step] = []
    sensor_ms = NOW_MS
    for silent_s, step_s in [(1, 1), (600, 600), (1, 1), (1, 600), (1, -600)]:
        script += [lambda silent_s=silent_s: clock.advance(silent_s)]  # type: ignore[misc]
        sensor_ms += step_s * 1000
        script += [[sample(sensor_ms)]]
    done = threading.Event()
    sensor = timed.sensor(ScriptedSource([[*script, done.set, done.set]], live=True), period_ms=1000)
    sensor.start()
    assert done.wait(30)
    wait_until(lambda: len(timed.records()) == 5)
    timed.stop(sensor)
    assert timed.metric("vss_sensor_missing_periods_total") == 599
    assert timed.metric("vss_sensor_clock_jumps_total", direction="forward") == 1
    assert timed.metric("vss_sensor_clock_jumps_total", direction="backward") == 1


def test_a_slow_kafka_makes_a_live_sensor_shed_its_oldest_and_count_them(rig: SensorRig) -> None:
    given_all, kafka_answers = threading.Event(), threading.Event()
    publish = rig.publisher.publish

    def slow(message: Message, on_delivery: object = None) -> bool:
        assert kafka_answers.wait(60)
        return publish(message, on_delivery)  # type: ignore[arg-type]

    rig.publisher.publish = slow  # type: ignore[method-assign]
    script: list[Step] = [*([sample(NOW_MS + i * 1000, n=i)] for i in range(30)), given_all.set]
    sensor = rig.sensor(ScriptedSource([script], live=True), buffer=4)
    sensor.start()
    assert given_all.wait(60)
    assert 3 <= rig.metric("vss_sensor_buffer_readings") <= 4  # one may have left it
    kafka_answers.set()
    wait_until(lambda: rig.metric("vss_sensor_buffer_readings") == 0)
    rig.stop(sensor)
    numbers = [reading["values"]["n"] for reading in rig.readings()]
    assert numbers[-3:] == [27, 28, 29]
    assert len(numbers) <= 5
    assert rig.metric("vss_readings_dropped_total", reason="buffer_full") == 30 - len(numbers)


def test_a_file_waits_for_a_slow_kafka_and_loses_nothing(rig: SensorRig, tmp_path: Path) -> None:
    rig.publisher.room = 5
    sensor = rig.sensor(table(tmp_path, list(range(100))), speed="max", buffer=10)
    sensor.start()
    wait_until(lambda: len(rig.records()) == 5)
    threading.Event().wait(0.2)
    assert rig.metric("vss_readings_captured_total") < 30
    rig.publisher.room = None
    wait_until(lambda: sensor.ended)
    assert [reading["values"]["n"] for reading in rig.readings()] == list(range(100))
    assert sensor.report().tally.dropped == {}


def test_what_is_no_reading_is_counted_and_said_once(timed: SensorRig, log_lines: list[EventDict]) -> None:
    script: list[Step] = [[sample(1), Unreadable("line 2: no"), sample(2), Unreadable("line 4: no")]]
    sensor = timed.run(timed.sensor(ScriptedSource([script], live=False), speed="max"))
    assert sensor.report().tally.dropped == {"undecodable": 2}
    assert sensor.report().tally.captured == 4
    said = [line for line in log_lines if "no reading" in line["event"]]
    assert [line["reason"] for line in said] == ["line 2: no"]
    assert sensor.report().exit_code == 0


def test_a_file_that_is_no_table_fails_the_sensor_with_the_fix(
    timed: SensorRig, tmp_path: Path, log_lines: list[EventDict]
) -> None:
    sensor = timed.run(timed.sensor(table(tmp_path, [1]), features="absent"))
    assert isinstance(sensor.report().error, SourceUnreadable)
    assert sensor.report().exit_code == 2
    (line,) = [line for line in log_lines if line["event"] == "sensor failed"]
    assert "--features 'n'" in line["fix"]


def test_a_live_sensor_that_drops_is_opened_again_and_counts_on(timed: SensorRig, log_lines: list[EventDict]) -> None:
    back = threading.Event()
    scripts: list[list[Step]] = [
        [(), [sample(1000)], SourceUnavailable("gone")],
        [SourceUnavailable("refused")],
        [[sample(2000)], back.set, back.set],
    ]
    sensor = timed.sensor(ScriptedSource(scripts, live=True))
    sensor.start()
    assert back.wait(30)
    wait_until(lambda: len(timed.records()) == 2)
    timed.stop(sensor)
    assert [dict(record.headers)["vss_seq"] for record in timed.records()] == [b"0", b"1"]
    assert timed.metric("vss_sensor_reconnects_total") >= 1
    events = [line["event"] for line in log_lines]
    assert events[1:3] == ["source dropped; trying again", "source is back"]


def test_a_silent_sensor_that_lives_is_up(timed: SensorRig) -> None:
    up = threading.Event()

    def pause() -> None:
        threading.Event().wait(1)

    sensor = timed.sensor(ScriptedSource([[(), up.set, (), pause]], live=True))
    sensor.start()
    assert up.wait(30)
    assert timed.metric("vss_sensor_up") == 1
    assert sensor.readiness() == []
    timed.stop(sensor)
    assert timed.metric("vss_sensor_up") == 0
