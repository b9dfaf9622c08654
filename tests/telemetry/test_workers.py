"""Telemetry workers as processes, with real models, on a real broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.model_store.series.tiny_series import HORIZON, write_anomaly, write_forecast
from tests.streams.contract.world import wait_until
from tests.telemetry.plant import BROKEN, THRESHOLD, Expected, expected, measured
from tests.telemetry.rig import Rig
from vss.codecs.events import decode_event
from vss.config import RedisSettings
from vss.schemas import topics
from vss.schemas.envelope import Message
from vss.schemas.events import ShedNote
from vss.schemas.telemetry import AnomalyEvent
from vss.schemas.topics import ANOMALIES, FORECASTS
from vss.streams.dead_letters import reason_of
from vss.testing import make_bad_readings, make_reading
from vss.workers.checks.audit import AuditReport, audit
from vss.workers.redis_view.reader import ResultView

MakeRig = Callable[..., Rig]


@pytest.fixture
def make_rig(bootstrap_servers: str, tmp_path: Path) -> Iterator[MakeRig]:
    made: list[Rig] = []

    def make(step: str, model: str | None = None, **changes: Any) -> Rig:
        if model is None:
            write = write_anomaly if step == "anomaly" else write_forecast
            model = str(write(tmp_path / f"{step}.onnx"))
        made.append(Rig(bootstrap_servers, tmp_path, step, model, **changes))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


def judged(rig: Rig) -> AuditReport:
    return audit(rig.kafka, group=rig.group, topic=topics.TELEMETRY, wait_s=30)


def same(found: dict[tuple[int, int], Any], wanted: dict[tuple[int, int], Expected]) -> None:
    assert found.keys() == wanted.keys()
    for place, event in found.items():
        want = wanted[place]
        assert (event["sensor_id"], event["window"]["first_offset"]) == (want.sensor, want.first_offset)
        assert event["anomaly_score"] == pytest.approx(want.score, rel=1e-4)


def test_a_broken_sensor_is_flagged_and_every_reading_is_accounted_for(make_rig: MakeRig) -> None:
    rig = make_rig("anomaly")
    worker = rig.start()
    rig.publish(measured(range(40), breaks_at=30, seed=1, topic=rig.readings))
    rig.wait_served()
    assert rig.stop(worker) == 0
    found = rig.events(ANOMALIES)
    same(found, expected(rig.read(topics.TELEMETRY)))
    flagged = {event["sensor_id"] for event in found.values() if event["is_anomaly"]}
    assert flagged == {BROKEN}
    worst = max(found.values(), key=lambda event: event["anomaly_score"])
    assert worst["anomaly_score"] > THRESHOLD
    assert worst["affected_features"][0]["feature"] == "pressure"
    assert worst["severity"] == "critical"
    report = judged(rig)
    assert report.holds, report
    assert (report.records, report.events, report.taken) == (320, 8 * 37, 8 * 3)


def test_bad_late_and_repeated_readings_each_have_their_outcome(make_rig: MakeRig) -> None:
    rig = make_rig("anomaly", options=["--lateness", "5", "--sensors", "pump-*"])
    bad = make_bad_readings("pump-0", topic=rig.readings)
    good = [make_reading("pump-0", seq, values={"pressure": 0.1, "flow": 0.2}, topic=rig.readings) for seq in range(30)]
    late, repeated, spy = good[3], good[29], make_reading("spy", 1, topic=rig.readings)
    rig.publish([*good[:15], *(message for message, _ in bad.values()), *good[15:], late, repeated, spy])
    worker = rig.start()
    rig.wait_served()
    assert rig.stop(worker) == 0
    letters = sorted(reason_of(record).error for record in rig.read(topics.DEAD_LETTERS))
    assert letters == sorted([*(error for _, error in bad.values()), "UnknownSensor"])
    notes = [decode_event(ShedNote, record.value) for record in rig.read(topics.SHED)]
    assert sorted(note.reason for note in notes) == ["duplicate", "late"]
    assert len(rig.events(ANOMALIES)) == 27
    report = judged(rig)
    assert report.holds, report
    assert (report.shed, report.dead_letters, report.taken) == (2, len(bad) + 1, 3)


def test_killed_and_stopped_workers_leave_the_events_of_one_undisturbed(make_rig: MakeRig) -> None:
    rig = make_rig("anomaly", options=["--max-batch", "16"])
    messages = measured(range(150), breaks_at=100, seed=2, topic=rig.readings)
    first, second = rig.start(), rig.start()
    rig.wait_joined()
    for start in range(0, 600, 100):
        rig.publish(messages[start : start + 100])
        time.sleep(0.3)  # the moment of the kill is the point
    rig.kill(first)
    rig.start()
    rig.publish(messages[600:900])
    assert rig.stop(second) == 0
    rig.start()
    rig.publish(messages[900:])
    rig.wait_served()
    same(rig.events(ANOMALIES), expected(rig.read(topics.TELEMETRY)))
    assert not rig.read(topics.SHED)
    assert not rig.read(topics.DEAD_LETTERS)
    report = judged(rig)
    assert report.holds, report
    assert report.records == 1200


def test_a_forecast_is_held_against_what_came(make_rig: MakeRig) -> None:
    rig = make_rig("forecast")
    worker = rig.start()

    def readings(first: int) -> list[Message]:
        # Flat but for a step of 10 every 8 readings, which leaves the interval of 1 around the mean of four.
        values = [{"pressure": 10.0 * (seq // 8 % 2), "flow": 0.01 * (seq % 2)} for seq in range(first, first + 40)]
        return [make_reading("pump-1", first + i, values=v, topic=rig.readings) for i, v in enumerate(values)]

    rig.publish(readings(0))
    rig.wait_served()
    rig.publish(readings(40))
    rig.wait_served()
    shown = rig.metrics(worker)
    assert rig.stop(worker) == 0
    found = rig.events(FORECASTS)
    assert len(found) == 77
    event = min(found.values(), key=lambda event: event["source"]["offset"])
    assert event["horizon"] == HORIZON
    assert event["predictions"]["pressure"] == [0.0] * HORIZON
    assert event["confidence_intervals"]["pressure"] == [[-1.0, 1.0]] * HORIZON
    assert event["times"] == [f"2023-11-14T22:13:{24 + step}.000000Z" for step in range(HORIZON)]
    version = event["model_version"]

    def figure(name: str, **labels: str) -> float:
        labels |= {"model_name": "forecast", "model_version": version}
        inside = ",".join(f'{label}="{labels[label]}"' for label in sorted(labels))
        [line] = [line for line in shown.splitlines() if line.startswith(f"{name}{{{inside}}}")]
        return float(line.rpartition(" ")[2])

    assert figure("vss_forecast_interval_coverage", feature="flow") == 1.0
    assert 0.1 < figure("vss_forecast_interval_coverage", feature="pressure") < 0.9
    # The mean of 0 and 0.01 misses both by one standard deviation.
    assert figure("vss_forecast_error", feature="flow", steps="1") == pytest.approx(1.0, abs=0.01)
    assert judged(rig).holds


def test_the_view_in_redis_holds_the_latest_of_each_sensor(make_rig: MakeRig, redis_settings: RedisSettings) -> None:
    rig = make_rig("anomaly", options=["--threshold", "0.75"])
    rig.start()
    view_worker = rig.start_view(redis_settings)
    rig.publish(measured(range(10), breaks_at=5, seed=3, topic=rig.readings))
    rig.wait_served()
    newest: dict[str, Any] = {}
    for event in rig.events(ANOMALIES).values():
        assert event["threshold"] == 0.75
        if event["captured_at"] >= newest.get(event["sensor_id"], event)["captured_at"]:
            newest[event["sensor_id"]] = event
    with ResultView.connect(redis_settings, topic_prefix=rig.prefix) as view:

        def there() -> bool:
            found = {key: view.latest(key, ANOMALIES) for key in newest}
            return all(seen is not None and orjson.loads(seen.value) == newest[key] for key, seen in found.items())

        wait_until(there, patience_s=60)
        assert view.keys(ANOMALIES) == sorted(newest)
        broken = view.result(newest[BROKEN]["id"])
        assert broken is not None
        assert broken.as_(AnomalyEvent).severity == "critical"
    assert rig.stop(view_worker) == 0


def test_age_is_no_reason_to_leave_readings_out(make_rig: MakeRig) -> None:
    rig = make_rig("anomaly", environment={"VSS_LOOP__MAX_AGE_MS": "1000"})
    worker = rig.start()
    assert worker.wait(60) == 2
    rig.workers.remove(worker)
    assert "windows.lateness_ms" in rig.logs()
