"""Which version answers, on real models, a real store and a real log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.streams.contract.world import wait_until
from tests.workers.activation.conftest import Operator, Worker
from tests.workers.activation.versions import (
    DUSK,
    add_fussy,
    add_good,
    add_unloadable,
    add_unwarmable,
)
from vss.codecs.canary import on_canary
from vss.errors import ModelError
from vss.schemas.models import ServingLimits
from vss.streams.activation_log import read_activations

Start = Callable[..., Worker]


@pytest.fixture
def store(operator: Operator, tmp_path: Path) -> Path:
    """Two good versions."""
    add_good(operator.store, tmp_path)
    add_good(operator.store, tmp_path)
    return operator.store


def test_without_an_activation_the_highest_version_serves_and_then_whichever_is_activated(
    operator: Operator, start: Start, store: Path
) -> None:
    worker = start()
    assert worker.ask() == "2"
    first = operator.activate("1")
    [event] = operator.wait_for(first, "swapped")
    assert (event.version, event.serving, event.group) == ("1", "1", "workers")
    assert worker.ask() == "1"
    second = operator.activate("2")
    operator.wait_for(second, "swapped")
    assert worker.ask() == "2"
    back = operator.roll_back()
    operator.wait_for(back, "swapped")
    assert worker.ask() == "1"


def test_a_worker_that_starts_serves_the_active_version_from_its_first_frame(
    operator: Operator, start: Start, store: Path
) -> None:
    activation = operator.activate("1")
    assert start().ask() == "1"
    [event] = operator.wait_for(activation, "swapped")
    assert (event.serving, event.reason) == ("1", "the worker started")


@pytest.mark.parametrize("spec", ["gate@2", "file"])
def test_a_pinned_model_follows_nothing(operator: Operator, start: Start, store: Path, spec: str) -> None:
    pinned = start(str(store / "gate" / "2" / "model.onnx") if spec == "file" else spec)
    before = pinned.ask()
    follows = start()
    activation = operator.activate("1")
    operator.wait_for(activation, "swapped")
    assert follows.ask() == "1"
    assert pinned.ask() == before
    assert len(operator.events()) == 1


def test_a_model_that_a_route_names_follows_beside_a_pinned_one(operator: Operator, start: Start, store: Path) -> None:
    operator.activate("1")
    worker = start("gate@2", routes={"yard-*": "gate"})
    assert worker.ask("camera-1") == "2"
    assert worker.ask("yard-1") == "1", "from the first frame on"


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (add_unloadable, "no ONNX model"),
        (add_unwarmable, "does not run"),
    ],
)
def test_a_version_that_cannot_serve_leaves_the_old_one_serving_and_says_why(
    operator: Operator, start: Start, store: Path, tmp_path: Path, add: Callable[[Path, Path], str], said: str
) -> None:
    operator.activate("2")
    worker = start()
    broken = add(store, tmp_path)
    activation = operator.activate(broken)
    [event] = operator.wait_for(activation, "refused")
    assert (event.version, event.serving) == (broken, "2")
    assert said in event.reason
    assert worker.ask() == "2"
    # It stays so, and the next activation is taken as ever.
    operator.wait_for(operator.activate("1"), "swapped")
    assert worker.ask() == "1"


def test_a_version_that_misses_its_smoke_input_leaves_the_old_one_serving(
    operator: Operator, start: Start, tmp_path: Path
) -> None:
    for _ in range(2):
        add_good(operator.store, tmp_path)
    operator.activate("1")
    worker = start()
    # The tiny detector sees something in bright pictures alone, and nothing in the grey one it is tried on.
    (operator.store / "gate" / "model.yaml").write_text("task: detection\nsmoke: {expect: [never]}\n")
    activation = operator.activate("2")
    [event] = operator.wait_for(activation, "refused")
    assert "does not find never in its smoke input" in event.reason
    assert worker.ask() == "1"


def test_a_file_that_somebody_changed_is_refused_by_the_operators_command_and_by_workers(
    operator: Operator, start: Start, store: Path, tmp_path: Path
) -> None:
    operator.activate("2")
    worker = start()
    activation = operator.activate("1")
    operator.wait_for(activation, "swapped")
    file = store / "gate" / "2" / "model.onnx"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ModelError, match="not the file that was stored"):
        operator.activate("2")
    back = operator.roll_back()  # which asks no store
    [event] = operator.wait_for(back, "refused")
    assert "not the file that was stored" in event.reason
    assert worker.ask() == "1"


def test_a_worker_that_starts_with_a_broken_active_version_falls_back_and_says_so(
    operator: Operator, start: Start, store: Path, tmp_path: Path
) -> None:
    operator.activate("1")
    broken = add_unloadable(store, tmp_path)
    activation = operator.activate(broken)
    worker = start()
    assert worker.ask() == "1"
    [event] = operator.wait_for(activation, "refused")
    assert (event.serving, "no ONNX model" in event.reason) == ("1", True)


def test_a_model_that_only_a_record_asks_for_falls_back_and_says_so(
    operator: Operator, start: Start, store: Path, tmp_path: Path
) -> None:
    operator.activate("1")
    broken = add_unloadable(store, tmp_path)
    activation = operator.activate(broken)
    worker = start("gate@2")
    assert worker.ask() == "2"
    assert worker.ask(model="gate") == "1"
    [event] = operator.wait_for(activation, "refused")
    assert (event.version, event.serving) == (broken, "1")


def test_a_worker_without_any_version_that_serves_says_so_and_ends(
    operator: Operator, start: Start, tmp_path: Path
) -> None:
    add_good(operator.store, tmp_path)
    broken = add_unloadable(operator.store, tmp_path)
    activation = operator.activate(broken)
    with pytest.raises(ModelError, match="no ONNX model"):
        start()
    [event] = operator.wait_for(activation, "refused")
    assert event.serving is None


def test_a_canary_serves_its_share_of_the_keys_and_a_key_stays_on_its_side(
    operator: Operator, start: Start, store: Path
) -> None:
    operator.activate("1")
    workers = [start(), start()]
    keys = [f"camera-{i}" for i in range(60)]
    for percent in (20, 60):
        activation = operator.activate("2", percent=percent)
        operator.wait_for(activation, "swapped", 2)
        expected = {key: "2" if on_canary("gate", key.encode(), percent) else "1" for key in keys}
        assert set(expected.values()) == {"1", "2"}
        for worker in workers:
            assert {key: worker.ask(key) for key in keys} == expected
    operator.wait_for(operator.activate("2"), "swapped", 2)
    assert {worker.ask(key) for worker in workers for key in keys} == {"2"}


def test_a_version_that_fails_too_often_is_left_by_all_workers(
    operator: Operator, start: Start, store: Path, tmp_path: Path
) -> None:
    operator.activate("1")
    fussy = add_fussy(store, tmp_path)
    finds, hears = start(), start()
    limits = ServingLimits(max_error_rate=0.1, min_requests=10)
    activation = operator.activate(fussy, limits=limits)
    operator.wait_for(activation, "swapped", 2)
    assert finds.ask() == hears.ask() == fussy
    for _ in range(12):
        with pytest.raises(Exception, match="out of data bounds"):
            finds.ask(brightness=DUSK)
        if finds.ask() == "1":
            break
    assert finds.ask() == "1", "whoever finds it goes back at once"
    events = operator.wait_for(activation, "rolled_back", 2)
    assert {event.serving for event in events} == {"1"}
    assert hears.ask() == "1"
    [verdict] = operator.verdicts()
    assert (verdict.activation_id, verdict.version) == (activation.id, fussy)
    assert "the limit is 10.0%" in verdict.reason
    assert {event.reason for event in events} == {verdict.reason}
    # Whoever starts later never tries it.
    late = start()
    assert late.ask() == "1"
    assert read_activations(operator.kafka)["gate"].given_up


def test_a_canary_that_is_too_slow_is_ended(operator: Operator, start: Start, store: Path) -> None:
    operator.activate("1")
    worker = start()
    activation = operator.activate("2", percent=50, limits=ServingLimits(max_p95_ms=0.0001, min_requests=5))
    operator.wait_for(activation, "swapped")
    chosen = next(f"camera-{i}" for i in range(100) if on_canary("gate", f"camera-{i}".encode(), 50))
    assert worker.ask(chosen) == "2"

    def ended() -> bool:
        return worker.ask(chosen) == "1"

    wait_until(ended)
    [event] = operator.wait_for(activation, "rolled_back")
    assert "95th percentile" in event.reason
    # Rolling back at the same moment settles it, and does not go back two.
    assert operator.roll_back().version == "1"
