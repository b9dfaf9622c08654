from __future__ import annotations

import threading
from collections.abc import Callable

from vss.model_store.backends.capture_gate import CaptureGate

PATIENCE_S = 10.0


def started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_calls_and_loads_pass_side_by_side() -> None:
    gate = CaptureGate()
    with gate.call(), gate.call(), gate.load():
        pass


def test_a_capture_waits_for_calls_and_keeps_later_ones_waiting() -> None:
    gate = CaptureGate()
    order: list[str] = []
    asked = threading.Event()

    def capture() -> None:
        asked.set()
        with gate.capture():
            order.append("capture")

    def later() -> None:
        with gate.call():
            order.append("later")

    with gate.call():
        capturing = started(capture)
        assert asked.wait(PATIENCE_S)
        while not gate._capturing:
            pass
        waiting = started(later)
        order.append("call")
    for thread in (capturing, waiting):
        thread.join(PATIENCE_S)
    assert order == ["call", "capture", "later"]


def test_a_capture_that_waits_for_a_load_keeps_no_call_waiting() -> None:
    gate = CaptureGate()
    captured = threading.Event()

    def capture() -> None:
        with gate.capture():
            captured.set()

    with gate.load():
        thread = started(capture)
        with gate.call():
            assert not captured.is_set()
    thread.join(PATIENCE_S)
    assert captured.is_set()
