"""Another version takes over while readings come in: none is lost, none is looked at twice, and windows go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.model_store.series.tiny_series import spec_document, write_anomaly
from tests.streams.contract.world import wait_until
from tests.telemetry.plant import expected, measured
from tests.telemetry.rig import Rig
from vss.cli.main import cli
from vss.codecs.events import decode_event
from vss.config import ModelSettings
from vss.model_store.manifest import Manifest
from vss.model_store.store import ModelStore
from vss.schemas import topics
from vss.schemas.models import ModelEvent
from vss.schemas.topics import ANOMALIES, MODEL_EVENTS
from vss.workers.checks.audit import audit

NAME = "pump"


def add(store: Path, scratch: Path, *, name: str = NAME, **model: Any) -> str:
    """The next version of a model."""
    file = write_anomaly(scratch / f"{len(model)}.onnx", **model)
    settings = ModelSettings(store=str(store))
    return ModelStore.of(settings).add(file, name, Manifest(task="anomaly"), check=lambda _: None).version


@pytest.fixture
def rig(bootstrap_servers: str, tmp_path: Path) -> Iterator[Rig]:
    store = tmp_path / "models"
    add(store, tmp_path)
    made = Rig(bootstrap_servers, tmp_path, "anomaly", NAME, options=["--store", str(store), "--max-batch", "64"])
    yield made
    made.close()


@contextmanager
def measuring(rig: Rig) -> Iterator[None]:
    """Publishes readings in the background while the block runs, and for a moment before and after."""
    done = threading.Event()

    def measure() -> None:
        for begin in range(0, 100_000, 5):
            rig.publish(measured(range(begin, begin + 5), breaks_at=10**9, seed=begin, topic=rig.readings))
            if done.wait(0.02):
                return

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        yield
    finally:
        time.sleep(0.5)
        done.set()
        thread.join()


def activate(rig: Rig, store: Path, version: str) -> int:
    """`vss models activate`; returns its exit code."""
    environ = {
        "VSS_KAFKA__BOOTSTRAP_SERVERS": rig.bootstrap_servers,
        "VSS_KAFKA__TOPIC_PREFIX": rig.prefix,
        "VSS_MODEL__STORE": str(store),
    }
    result = CliRunner().invoke(cli, ["models", "activate", NAME, version], env=environ)
    return result.exit_code


def said(rig: Rig, version: str) -> ModelEvent:
    """What the worker says about a version, once it does."""
    found: list[ModelEvent] = []

    def there() -> bool:
        events = [decode_event(ModelEvent, record.value) for record in rig.read(MODEL_EVENTS)]
        found[:] = [event for event in events if event.version == version]
        return bool(found)

    wait_until(there)
    return found[-1]


def test_an_activated_version_takes_over_and_one_of_another_layout_is_refused(rig: Rig, tmp_path: Path) -> None:
    store = tmp_path / "models"
    worker = rig.start()
    rig.wait_joined()
    twice = add(store, tmp_path, gain=2.0)
    other = add(store, tmp_path, spec=spec_document(features=["pressure", "heat"]), gain=1.0)
    with measuring(rig):
        # What was served so far may be no window yet.
        wait_until(lambda: bool(rig.events(ANOMALIES)))
        assert activate(rig, store, twice) == 0
        assert said(rig, twice).kind == "swapped"
        activate(rig, store, other)
        refused = said(rig, other)
    assert (refused.kind, refused.serving) == ("refused", twice)
    assert "heat" in refused.reason
    rig.wait_served()
    assert rig.stop(worker) == 0
    found = rig.events(ANOMALIES)
    wanted = expected(rig.read(topics.TELEMETRY))
    assert found.keys() == wanted.keys()
    gain = {"1": 1.0, twice: 2.0}
    for place, event in found.items():
        assert event["anomaly_score"] == pytest.approx(gain[event["model_version"]] * wanted[place].score, rel=1e-4)
        assert event["window"]["first_offset"] == wanted[place].first_offset
    assert {event["model_version"] for event in found.values()} == {"1", twice}
    report = audit(rig.kafka, group=rig.group, topic=topics.TELEMETRY, wait_s=30)
    assert report.holds, report


def test_a_pattern_of_keys_is_looked_at_by_another_model_on_the_same_windows(rig: Rig, tmp_path: Path) -> None:
    add(tmp_path / "models", tmp_path, name="seals", gain=3.0)
    rig.environment = {"VSS_MODEL__ROUTES": '{"pump-[23]": "seals"}'}
    worker = rig.start()
    rig.publish(measured(range(8), breaks_at=10**9, seed=5, topic=rig.readings))
    rig.wait_served()
    assert rig.stop(worker) == 0
    found, wanted = rig.events(ANOMALIES), expected(rig.read(topics.TELEMETRY))
    assert found.keys() == wanted.keys()
    for place, event in found.items():
        routed = event["sensor_id"] in ("pump-2", "pump-3")
        assert event["model_name"] == ("seals" if routed else NAME)
        assert event["anomaly_score"] == pytest.approx((3.0 if routed else 1.0) * wanted[place].score, rel=1e-4)


def test_a_routed_model_of_another_layout_is_refused_at_the_start(rig: Rig, tmp_path: Path) -> None:
    add(tmp_path / "models", tmp_path, name="seals", spec=spec_document(features=["heat", "flow"]))
    rig.environment = {"VSS_MODEL__ROUTES": '{"pump-[23]": "seals"}'}
    worker = rig.start()
    assert worker.wait(60) == 2
    rig.workers.remove(worker)
    assert "heat" in rig.logs()
    assert "fix:" in rig.logs()
