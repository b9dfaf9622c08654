"""Threads that give up what takes too long, and what becomes of a model call that does."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.model_store.detection.tiny_models import SIDE, write_model, yolov8_output
from vss.codecs.images import Image
from vss.config import ModelSettings
from vss.errors import InferenceTimedOut
from vss.metrics import Metrics
from vss.model_store.backends.model import Interrupt
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.runner import Runner
from vss.model_store.runner.threads import WorkThreads
from vss.model_store.tasks.detection.letterbox import InputBuffer
from vss.testing import ManualClock

WAIT_S = 60.0


class HeldClock(ManualClock):
    """Moves only when told: who waits on it waits for the event."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(WAIT_S)


class Hanging:
    """Work that takes until it is let go, and tells what happens to it."""

    def __init__(self) -> None:
        self.started, self.go, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.happened: list[str] = []

    def run(self) -> None:
        self.happened.append("run")
        self.started.set()
        assert self.go.wait(WAIT_S)
        self.ended.set()

    def expire(self, limit_s: float) -> None:
        self.happened.append(f"expired after {limit_s:g}")

    def drop(self) -> None:
        self.happened.append("dropped")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def start(threads: WorkThreads, count: int = 1) -> list[Hanging]:
    made = [Hanging() for _ in range(count)]
    for work in made:
        threads.submit(work)
        assert work.started.wait(WAIT_S)
    return made


def end(threads: WorkThreads, *hanging: Hanging) -> None:
    for work in hanging:
        work.go.set()
    threads.close()


def test_work_that_takes_too_long_is_given_up_and_another_thread_goes_on() -> None:
    clock = HeldClock()
    threads = WorkThreads(1, limit_s=30, clock=clock)
    [first] = start(threads)
    clock.advance(29)
    assert threads.check() == pytest.approx(1)
    assert first.happened == ["run"]
    clock.advance(1)
    assert threads.check() == 30
    assert first.happened == ["run", "expired after 30"]
    [second] = start(threads)  # on a thread that was not there before
    threads.check()
    assert first.happened == ["run", "expired after 30"], "it is told once"
    end(threads, first, second)
    assert second.happened == ["run"]


def test_the_watchdog_sleeps_until_the_oldest_work_is_due() -> None:
    clock = HeldClock()
    threads = WorkThreads(2, limit_s=30, clock=clock)
    assert threads.check() == 30
    [first] = start(threads)
    clock.advance(10)
    [second] = start(threads)
    assert threads.check() == pytest.approx(20)
    first.go.set()
    until(lambda: threads.check() == pytest.approx(30))
    end(threads, second)


def test_so_many_threads_may_hang_and_then_the_process_says_that_it_is_not_well() -> None:
    clock = HeldClock()
    threads = WorkThreads(1, limit_s=30, max_lost=2, clock=clock)
    hanging: list[Hanging] = []
    for lost in range(3):
        assert bool(threads.problems()) == (lost >= 2)
        hanging += start(threads)
        clock.advance(30)
        threads.check()
    assert "3 model threads hang" in threads.problems()[0]
    waits = Hanging()
    threads.submit(waits)
    assert not waits.started.wait(0.05), "no thread takes the place of a third"
    hanging[0].go.set()  # comes back after all
    assert waits.started.wait(WAIT_S)
    hanging[1].go.set()
    until(lambda: threads.problems() == [])
    end(threads, waits, *hanging)


def test_work_that_raises_takes_no_thread_with_it() -> None:
    class Raising(Hanging):
        def run(self) -> None:
            raise ValueError("nobody is told")

    threads = WorkThreads(1)
    threads.submit(Raising())
    end(threads, *start(threads))


def test_what_has_not_started_is_dropped_at_the_end() -> None:
    threads = WorkThreads(1)
    [running] = start(threads)
    waiting, late = Hanging(), Hanging()
    threads.submit(waiting)
    running.go.set()
    waiting.go.set()
    threads.close()
    threads.submit(late)
    assert waiting.happened in (["dropped"], ["run"])
    assert late.happened == ["dropped"]
    threads.close()


class StuckModel:
    """A detector whose calls hang while told to (see `Model`)."""

    providers = ("CPUExecutionProvider",)
    on_cpu = True
    input_shape = (None, 3, SIDE, SIDE)
    dtype = np.float32
    resident_bytes = 0

    def __init__(self) -> None:
        self.metadata = {"names": "{0: 'cat', 1: 'dog'}"}
        self.output = yolov8_output((32, 32, 16, 8, 1, 0.9))
        self.stuck = False
        self.entered, self.go = threading.Semaphore(0), threading.Event()
        self.inputs: list[int] = []
        self.interrupted = threading.Event()
        self.closed = False

    def run(self, batch: NDArray[np.float32], interrupt: Interrupt | None = None) -> list[NDArray[Any]]:
        assert not self.closed
        self.inputs.append(batch.__array_interface__["data"][0])
        if self.stuck:
            assert interrupt is not None
            interrupt.on_fire(self.interrupted.set)
            self.entered.release()
            assert self.go.wait(WAIT_S)
        return [np.repeat(self.output[None], len(batch), axis=0)]

    def close(self) -> None:
        self.closed = True


class StuckRig:
    """A runner on such a model, with time held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.model, self.clock, self.metrics = StuckModel(), HeldClock(), Metrics()
        monkeypatch.setattr("vss.model_store.runner.runner.open_model", lambda *_: self.model)
        self.threads = WorkThreads(limit_s=30, clock=self.clock)
        ref = ModelRef("gate", "1", tmp_path / "none.onnx", Manifest())
        settings = ModelSettings(threads=2, device="cpu")
        self.runner = Runner.load(ref, settings, metrics=self.metrics, threads=self.threads)

    def pass_time(self) -> None:
        self.clock.advance(30)
        self.threads.check()

    def close(self) -> None:
        self.model.go.set()
        self.runner.close()
        self.threads.close()


def picture(load: Callable[[tuple[int, int]], Image] | None = None) -> Picture:
    grey = np.zeros((SIDE, SIDE, 3), np.uint8)
    return Picture(SIDE, SIDE, load if load is not None else lambda _: grey)


def test_a_call_that_hangs_ends_as_a_timeout_of_its_records_and_the_next_is_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rig = StuckRig(monkeypatch, tmp_path)
    rig.model.stuck = True
    late = rig.runner.submit([picture(), picture(), picture(), picture()])  # two calls of two, on both threads
    for _ in range(2):
        assert rig.model.entered.acquire(timeout=WAIT_S)
    rig.pass_time()
    for future in late:
        with pytest.raises(InferenceTimedOut, match="gate did not answer within 30 s"):
            future.result(WAIT_S)
    assert rig.model.interrupted.is_set()
    rig.model.stuck = False
    stuck_inputs = set(rig.model.inputs[-2:])
    for _ in range(4):
        assert all(future.result(WAIT_S).value for future in rig.runner.submit([picture(), picture()]))
    assert not stuck_inputs & set(rig.model.inputs[-4:]), "room that a lost call may still read is not used again"
    value = rig.metrics.registry.get_sample_value
    assert value("vss_call_timeouts_total", {"model_name": "gate"}) == 2
    assert value("inference_requests_total", {"model_name": "gate", "status": "error"}) == 4
    assert value("inference_requests_total", {"model_name": "gate", "status": "ok"}) == 8
    rig.close()


def test_a_late_result_changes_nothing_and_the_model_is_freed_when_its_last_call_comes_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rig = StuckRig(monkeypatch, tmp_path)
    rig.model.stuck = True
    [late] = rig.runner.submit([picture()])
    assert rig.model.entered.acquire(timeout=WAIT_S)
    rig.pass_time()
    rig.runner.close()
    assert not rig.model.closed, "a call is still inside"
    rig.model.go.set()
    until(lambda: rig.model.closed)
    assert isinstance(late.exception(0), InferenceTimedOut)
    value = rig.metrics.registry.get_sample_value
    assert value("inference_requests_total", {"model_name": "gate", "status": "ok"}) is None or (
        value("inference_requests_total", {"model_name": "gate", "status": "ok"}) == 0
    )
    rig.close()


def test_a_picture_whose_decoding_hangs_times_out_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rig = StuckRig(monkeypatch, tmp_path)
    started, go = threading.Event(), threading.Event()

    def hang(_: tuple[int, int]) -> Image:
        started.set()
        assert go.wait(WAIT_S)
        return np.zeros((SIDE, SIDE, 3), np.uint8)

    hung, *others = rig.runner.submit([picture(hang), picture(), picture(), picture()])
    assert started.wait(WAIT_S)
    assert all(future.result(WAIT_S) for future in others[1:]), "the other call"
    assert not others[0].done(), "the other picture of its call waits for it"
    # The prepared picture must be there before its neighbour is given up.
    until(lambda: rig.threads._queue.empty() and sum(w.work is not None for w in rig.threads._workers) == 1)
    rig.pass_time()
    assert isinstance(hung.exception(WAIT_S), InferenceTimedOut)
    assert others[0].result(WAIT_S).value
    go.set()
    until(lambda: not rig.threads._lost)
    assert isinstance(hung.exception(0), InferenceTimedOut)
    rig.close()


def test_room_that_a_lost_thread_may_still_write_to_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rig = StuckRig(monkeypatch, tmp_path)
    started, go, back = threading.Event(), threading.Event(), threading.Event()
    write = InputBuffer.write
    used: list[InputBuffer] = []
    unsafe: list[InputBuffer] = []

    def hang_on_white(buffer: InputBuffer, slot: int, image: Image, source_wh: tuple[int, int]) -> None:
        used.append(buffer)
        if image[0, 0, 0]:
            unsafe.append(buffer)
            started.set()
            assert go.wait(WAIT_S)
        write(buffer, slot, image, source_wh)
        if image[0, 0, 0]:
            back.set()

    monkeypatch.setattr(InputBuffer, "write", hang_on_white)
    white = picture(lambda _: np.full((SIDE, SIDE, 3), 255, np.uint8))
    hung, other, *_ = rig.runner.submit([white, picture(), picture(), picture()])
    assert started.wait(WAIT_S)
    until(lambda: rig.threads._queue.empty() and sum(w.work is not None for w in rig.threads._workers) == 1)
    rig.pass_time()
    assert isinstance(hung.exception(WAIT_S), InferenceTimedOut)
    assert other.result(WAIT_S).value
    used.clear()
    for _ in range(6):
        assert all(future.result(WAIT_S) for future in rig.runner.submit([picture() for _ in range(8)]))
    assert len(used) == 48
    assert unsafe[0] not in used
    go.set()
    assert back.wait(WAIT_S)
    rig.close()


def test_runners_that_share_threads_make_none_of_their_own(tmp_path: Path) -> None:
    file = write_model(tmp_path / "m.onnx", yolov8_output((32, 32, 16, 8, 1, 0.9)))
    settings, threads = ModelSettings(threads=2, device="cpu"), WorkThreads(name="shared")
    before = threading.active_count()
    runners = [Runner.load(ModelRef(f"m{i}", "1", file, Manifest()), settings, threads=threads) for i in range(5)]
    assert threading.active_count() - before == 3, "two, and one that watches them"
    assert all(runner.run([np.zeros((SIDE, SIDE, 3), np.uint8)])[0].value for runner in runners)
    for runner in runners[:-1]:
        runner.close()
    assert runners[-1].run([np.zeros((SIDE, SIDE, 3), np.uint8)])[0].value
    runners[-1].close()
    threads.close()


def test_records_that_wait_when_the_threads_go_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rig = StuckRig(monkeypatch, tmp_path)
    rig.model.stuck = True
    futures = rig.runner.submit([picture() for _ in range(20)])
    for _ in range(2):
        assert rig.model.entered.acquire(timeout=WAIT_S)
    closer = threading.Thread(target=rig.threads.close)
    closer.start()
    until(lambda: all(future.done() for future in futures[8:]))
    rig.model.go.set()
    closer.join(WAIT_S)
    assert all(future.done() for future in futures)
    rig.close()
