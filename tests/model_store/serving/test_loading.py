"""Loading: what is tried again and what is not, what must be shown first, and what has to go to make room."""

import errno
import threading
from pathlib import Path

import pytest

from tests.model_store.serving.fakes import FakeMemory, FakeRunner, FakeStore, Rig, make_rig
from tests.model_store.serving.real_models import request
from vss.errors import (
    ModelCorrupt,
    ModelError,
    ModelTooLarge,
    ModelUnsafe,
    SmokeFailed,
    StoreUnavailable,
    UnknownModel,
)
from vss.model_store.manifest import InputSpec, Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.serving.loaded import LoadedModel
from vss.model_store.serving.memory import estimated_bytes
from vss.model_store.serving.plan import ModelVersion


def ask(rig: Rig, *models: str) -> None:
    """Has records answered, one after the other."""
    for model in models:
        [future] = rig.serving.submit([request(model=model)])
        rig.store.finish_all()
        assert future.result(0).name == model.partition("@")[0]


def test_what_may_pass_is_tried_again_with_longer_and_longer_uneven_waits(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"]}, load_attempts=5)
    passing = [StoreUnavailable("away"), OSError(errno.EIO, "bad disk"), TimeoutError(), OSError(errno.ESTALE, "stale")]
    rig.store.errors["gate@1"] = passing
    rig.serving.serve("gate", "detection")
    waited_s = rig.clock.monotonic()
    # Half to all of 0.2, 0.4, 0.8 and 1.6 s.
    assert 1.5 <= waited_s <= 3.0
    assert waited_s not in (1.5, 3.0)
    assert rig.value("vss_model_loads_total", model_name="gate", result="retried") == 4
    assert rig.value("vss_model_loads_total", model_name="gate", result="ok") == 1
    assert (rig.value("vss_model_load_seconds_sum", model_name="gate") or 0) < waited_s


def test_a_store_that_stays_away_is_given_up_after_so_many_tries(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"]}, load_attempts=3)
    rig.store.errors["gate@1"] = [OSError(errno.EIO, "bad disk")] * 9
    with pytest.raises(StoreUnavailable, match=r"gate@latest cannot be read: .*bad disk"):
        rig.serving.serve("gate", "detection")
    assert len(rig.store.looks) == 3
    assert rig.value("vss_model_loads_total", model_name="gate", result="failed") == 1


def test_a_model_that_two_loads_brought_is_held_once() -> None:
    rig = make_rig({"gate": ["1"]})
    rig.serving.serve("gate", "detection")
    [first] = rig.store.runners
    late = FakeRunner(first.ref)
    # By a thread that was given up, and came to an end after the one in its place.
    rig.serving._loaded.add(LoadedModel(ModelVersion("gate", "1"), late, late.ref, 1))
    assert (first.closed, late.closed) == (False, True)
    ask(rig, "gate")
    rig.serving.close()
    assert first.closed


@pytest.mark.parametrize("error", [ModelCorrupt("x"), ModelUnsafe("x"), ModelTooLarge("x"), PermissionError(13, "x")])
def test_what_will_never_pass_is_tried_once(tmp_path: Path, error: Exception) -> None:
    rig = make_rig({"gate": ["1"]})
    rig.store.errors["gate@1"] = [error]
    with pytest.raises(type(error)):
        rig.serving.serve("gate", "detection")
    assert len(rig.store.looks) == 1
    assert rig.clock.monotonic() == 0


def test_a_model_that_does_not_run_never_serves_and_is_let_go(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"]})
    rig.store.broken["gate@1"] = RuntimeError("no kernel for this")
    with pytest.raises(SmokeFailed, match=r"version 1 of gate does not run: RuntimeError: no kernel for this"):
        rig.serving.serve("gate", "detection")
    assert rig.store.open_now() == []
    assert rig.value("vss_models_loaded") is None or rig.value("vss_models_loaded") == 0


def test_every_model_is_warm_before_it_serves(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"]})
    rig.serving.serve("gate", "detection")
    runner = rig.store.runner("gate@1")
    assert (runner.warm_ups, runner.proven, runner.calls) == (1, True, [])


def test_the_least_recently_used_model_goes_first(tmp_path: Path) -> None:
    rig = make_rig({name: ["1"] for name in "abcd"}, max_loaded=3)
    rig.serving.serve("a", "detection")
    ask(rig, "b", "c", "a")
    ask(rig, "d")
    assert rig.store.open_now() == ["a@1", "c@1", "d@1"]
    assert rig.value("vss_models_loaded") == 3
    assert rig.value("vss_models_loaded_bytes") == 300
    assert rig.value("vss_model_unloads_total", model_name="b") == 1
    ask(rig, "b")  # comes back when it is asked for
    assert rig.store.open_now() == ["a@1", "b@1", "d@1"]


def test_bytes_bound_as_well(tmp_path: Path) -> None:
    rig = make_rig({name: ["1"] for name in "abc"}, max_loaded_bytes=250)
    rig.store.sizes["c"] = 200
    rig.serving.serve("a", "detection")
    ask(rig, "b")
    assert rig.store.open_now() == ["a@1", "b@1"]
    ask(rig, "c")
    assert rig.store.open_now() == ["c@1"]


def test_a_model_that_could_never_fit_unloads_nothing(tmp_path: Path) -> None:
    rig = make_rig({"a": ["1"], "huge": ["1"]}, max_loaded_bytes=250)
    rig.store.sizes["huge"] = 251
    rig.serving.serve("a", "detection")
    [future] = rig.serving.submit([request(model="huge")])
    with pytest.raises(UnknownModel, match="huge@1 needs"):
        future.result(0)
    assert rig.store.open_now() == ["a@1"]


def test_a_model_with_records_at_work_is_never_unloaded_and_the_next_waits_for_it(tmp_path: Path) -> None:
    rig = make_rig({"a": ["1"], "b": ["1"]}, max_loaded=1)
    rig.serving.serve("a", "detection")
    rig.loads.inline = False
    first, second = rig.serving.submit([request(), request(model="b")])
    waits: list[float] = []

    def finish_meanwhile(event: threading.Event, timeout_s: float) -> bool:
        waits.append(timeout_s)
        assert rig.store.open_now() == ["a@1"]
        rig.store.runner("a@1").finish()
        return True

    rig.clock.wait = finish_meanwhile  # type: ignore[method-assign]
    rig.loads.run_all()
    assert waits == [1.0]
    assert rig.store.open_now() == ["b@1"]
    rig.store.finish_all()
    assert (first.result(0).name, second.result(0).name) == ("a", "b")


def test_a_model_that_stays_in_use_is_waited_for_a_minute(tmp_path: Path) -> None:
    rig = make_rig({"a": ["1"], "b": ["1"]}, max_loaded=1)
    rig.serving.serve("a", "detection")
    first, second = rig.serving.submit([request(), request(model="b")])
    with pytest.raises(UnknownModel, match="1 models are held, as many as may be"):
        second.result(0)
    assert rig.clock.monotonic() == pytest.approx(60)
    rig.store.finish_all()
    assert first.result(0).name == "a"


def test_on_an_accelerator_what_is_free_there_bounds(tmp_path: Path) -> None:
    store = FakeStore()
    rig = make_rig({n: ["1"] for n in "abcd"}, store=store, memory=FakeMemory(store, 250))
    store.sizes["d"] = 251
    rig.serving.serve("a", "detection")
    ask(rig, "b", "c")
    assert store.open_now() == ["b@1", "c@1"]
    assert rig.value("gpu_memory_usage_bytes") == 200
    [future] = rig.serving.submit([request(model="d")])
    with pytest.raises(UnknownModel, match="free on the accelerator"):
        future.result(0)
    assert store.open_now() == ["b@1", "c@1"]


def test_models_may_hold_no_more_of_an_accelerator_than_the_settings_say(tmp_path: Path) -> None:
    store = FakeStore()
    memory = FakeMemory(store, 10_000)
    rig = make_rig({n: ["1"] for n in "abc"}, store=store, memory=memory, max_accelerator_bytes=200)
    rig.serving.serve("a", "detection")
    ask(rig, "b", "c")
    assert store.open_now() == ["b@1", "c@1"]


def test_the_default_comes_back_by_itself_and_says_what_keeps_it_away(tmp_path: Path) -> None:
    rig = make_rig({"a": ["1"], "b": ["1"]}, max_loaded=1)
    rig.serving.serve("a", "detection")
    ask(rig, "b", "a")
    ask(rig, "b")
    rig.store.errors["a@1"] = [ModelCorrupt("not what was stored")]
    [future] = rig.serving.submit([request()])
    # The operator's own model: a worker without it is of no use, and no record is to blame.
    assert isinstance(future.exception(0), ModelError)


def test_a_model_that_comes_back_is_held_for_each_record_that_waited() -> None:
    rig = make_rig({"a": ["1"], "b": ["1"]}, max_loaded=1)
    rig.serving.serve("a", "detection")
    ask(rig, "b")
    futures = rig.serving.submit([request() for _ in range(3)])
    rig.store.runner("a@1").finish(count=2)
    [shut_out] = rig.serving.submit([request(model="b")])
    assert isinstance(shut_out.exception(0), UnknownModel), "one record is still at work in a"
    rig.store.finish_all()
    assert [future.result(0).name for future in futures] == ["a"] * 3
    rig.clock.advance(60)
    ask(rig, "b")


def test_an_estimate_follows_the_file_and_the_input(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"x" * 1000)

    def estimate(manifest: Manifest, *, on_accelerator: bool = False) -> int:
        return estimated_bytes(ModelRef("m", "1", file, manifest), on_accelerator=on_accelerator)

    small = Manifest(input=InputSpec(width=64, height=64))
    assert estimate(Manifest(memory_bytes=7)) == 7
    assert estimate(small) == 1000 + (16 << 20) + 8 * 4 * 3 * 64 * 64 * 4
    assert estimate(small, on_accelerator=True) - estimate(small) == 8 * 28 * 3 * 64 * 64 * 4
    ref = ModelRef("m", "1", file, Manifest())
    assert estimated_bytes(ref, on_accelerator=False, input_numbers=3 * 64 * 64) == estimate(small)
    assert estimate(Manifest(task="classification")) < estimate(Manifest())
