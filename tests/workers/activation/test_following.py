"""What a worker says and keeps of activations, whatever serves does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import pytest
import structlog.testing

import vss.workers.activation.following as module
from tests.streams.activation_records import activation, verdict
from tests.streams.contract.world import wait_until
from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ModelNotFound
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.serving.swap import Breach, SwapResult
from vss.schemas.models import ModelActivation, ModelEvent, ModelVerdict
from vss.streams.activation_writer import ActivationWriter
from vss.workers.activation.announcer import Announcer
from vss.workers.activation.following import Following


class FakeServing:
    """Answers what it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.applied: list[tuple[str, bool]] = []
        self.answers: list[SwapResult | Exception] = []
        self.served: SwapResult | Exception = SwapResult(True, "1")
        self.on_breach: Callable[[Breach], None] = lambda _: None
        self.on_fall_back: Callable[[ModelActivation, SwapResult], None] = lambda *_: None
        self.slow_s = 0.0

    def serve(self, spec: str, task: str) -> SwapResult:
        if isinstance(self.served, Exception):
            raise self.served
        return self.served

    def apply(self, activation: ModelActivation, *, given_up: bool) -> Future[SwapResult]:
        self.applied.append((activation.version, given_up))
        time.sleep(self.slow_s)
        future: Future[SwapResult] = Future()
        # Nobody has asked for it, unless a test says otherwise.
        answer = self.answers.pop(0) if self.answers else SwapResult(True, None)
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return future


class FakeWriter:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.written: list[ModelEvent | ModelVerdict] = []
        self.away = False
        self.closed = threading.Event()

    def verdict(self, verdict: ModelVerdict) -> None:
        self.event(verdict)

    def event(self, event: ModelEvent | ModelVerdict) -> None:
        self.written.append(event)
        if self.away:
            raise BrokerUnavailable("nobody is there")

    def close(self) -> None:
        self.closed.set()

    def said(self) -> list[tuple[str, str, str | None, str]]:
        return [(e.kind, e.version, e.serving, e.reason) for e in self.written if isinstance(e, ModelEvent)]


@pytest.fixture
def serving() -> FakeServing:
    return FakeServing()


@pytest.fixture
def writer() -> FakeWriter:
    return FakeWriter()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def following(kafka: KafkaSettings, serving: FakeServing, writer: FakeWriter, metrics: Metrics) -> Following:
    logger = get_logger("test")
    return Following(serving, kafka, group="workers", metrics=metrics, logger=logger, writer=writer)


@pytest.fixture
def log(kafka: KafkaSettings) -> ActivationWriter:
    return ActivationWriter(kafka)


def swaps(metrics: Metrics, result: str) -> float | None:
    return metrics.registry.get_sample_value("vss_model_swaps_total", {"model_name": "gate", "result": result})


def test_each_change_is_applied_in_order_and_told_of_once(
    following: Following, serving: FakeServing, writer: FakeWriter, log: ActivationWriter, metrics: Metrics
) -> None:
    log.activation(activation("a1", version="1", history=()))
    serving.answers = [
        SwapResult(True, None),  # nobody has asked for it yet
        SwapResult(True, "2"),
        SwapResult(False, "2", "no such file"),
        SwapResult(True, "2"),
    ]
    with following:
        following.serve("gate", "detection")
        assert serving.applied == [("1", False)]
        log.activation(activation("a2", version="2"))
        log.activation(activation("a3", version="3", percent=10, history=("2", "1")))
        wait_until(lambda: len(serving.applied) == 3)
        log.verdict(verdict("a3", version="3"))
        wait_until(lambda: len(writer.written) == 4)
    assert serving.applied == [("1", False), ("2", False), ("3", False), ("3", True)]
    assert writer.said() == [
        ("swapped", "1", "1", "the worker started"),
        ("swapped", "2", "2", "activated"),
        ("refused", "3", "2", "no such file"),
        ("rolled_back", "3", "2", "too slow"),
    ]
    assert [swaps(metrics, kind) for kind in ("swapped", "refused", "rolled_back")] == [2, 1, 1]
    assert writer.closed.is_set()


def test_a_change_that_comes_while_a_worker_starts_waits_for_what_held_before(
    following: Following, serving: FakeServing, log: ActivationWriter
) -> None:
    log.activation(activation("y1", name="yard", version="7"))
    log.activation(activation("a1", version="1", history=()))
    serving.slow_s = 1.0

    def activate_late() -> None:
        wait_until(lambda: following._states != {})
        log.activation(activation("a2", version="2"))

    late = threading.Thread(target=activate_late)
    late.start()
    with following:
        following.start()
        late.join()
        wait_until(lambda: len(serving.applied) == 3)
    assert serving.applied == [("7", False), ("1", False), ("2", False)]


def test_what_was_opened_before_the_log_was_read_swaps_before_the_first_frame(
    following: Following, serving: FakeServing, writer: FakeWriter, log: ActivationWriter
) -> None:
    log.activation(activation("a1", version="1", history=()))
    serving.answers = [SwapResult(True, "1")]
    with following:
        following.serve("yard@3", "detection")
        wait_until(lambda: bool(writer.written))
    assert writer.said() == [("swapped", "1", "1", "activated")]


def test_what_serving_raises_is_a_refusal_that_names_it(
    following: Following, serving: FakeServing, writer: FakeWriter, log: ActivationWriter
) -> None:
    serving.answers = [RuntimeError("a bug"), SwapResult(True, "3")]
    with following:
        following.start()
        log.activation(activation("a1", version="2"))
        log.activation(activation("a2", version="3"))
        wait_until(lambda: len(writer.written) == 2)
    assert writer.said() == [("refused", "2", None, "RuntimeError: a bug"), ("swapped", "3", "3", "activated")]


def test_while_the_store_is_away_it_is_tried_again_and_refused_once(
    following: Following,
    serving: FakeServing,
    writer: FakeWriter,
    log: ActivationWriter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)
    away = SwapResult(False, "1", "the store does not answer", may_pass=True)
    serving.answers = [away, away, away, SwapResult(True, "2")]
    with following:
        following.start()
        log.activation(activation("a1", version="2"))
        wait_until(lambda: len(writer.written) == 2)
    assert serving.applied == [("2", False)] * 4
    assert writer.said() == [("refused", "2", "1", away.reason), ("swapped", "2", "2", "activated")]


def test_what_was_refused_is_not_tried_again_once_something_else_is_active(
    following: Following, serving: FakeServing, log: ActivationWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", 0.3)
    serving.answers = [SwapResult(False, "1", "the store does not answer", may_pass=True)]
    with following:
        following.start()
        log.activation(activation("a1", version="2"))
        log.activation(activation("a2", version="3"))
        wait_until(lambda: len(serving.applied) == 2)
        time.sleep(0.6)
    assert serving.applied == [("2", False), ("3", False)]


@pytest.mark.parametrize(("spec", "said"), [("gate", 1), ("gate@2", 0), ("gate.onnx", 0)])
def test_a_fall_back_at_the_start_is_told_of(
    following: Following, serving: FakeServing, writer: FakeWriter, log: ActivationWriter, spec: str, said: int
) -> None:
    log.activation(activation("a1", version="2"))
    serving.served = SwapResult(False, "1", "damaged")
    with following:
        following.serve(spec, "detection")
    assert writer.said() == [("refused", "2", "1", "damaged")] * said


def test_what_is_wrong_with_a_pinned_model_is_said_before_a_broker_is_asked(
    serving: FakeServing, writer: FakeWriter, metrics: Metrics
) -> None:
    nowhere = KafkaSettings(bootstrap_servers="127.0.0.1:9")
    serving.served = ModelNotFound("nothing there")
    logger = get_logger("test")
    with Following(serving, nowhere, group="w", metrics=metrics, logger=logger, writer=writer) as following:
        for spec in ("gate@7", "gate.onnx"):
            with pytest.raises(ModelNotFound):
                following.serve(spec, "detection")


def test_a_worker_that_cannot_start_says_so_first(
    following: Following, serving: FakeServing, writer: FakeWriter, log: ActivationWriter
) -> None:
    log.activation(activation("a1", version="2"))
    serving.served = ModelNotFound("nothing there")
    with pytest.raises(ModelNotFound), following:
        following.serve("gate", "detection")
    assert writer.said() == [("refused", "2", None, "nothing there")]


def test_a_breach_becomes_a_verdict(following: Following, serving: FakeServing, writer: FakeWriter) -> None:
    with following:
        following.start()
        serving.on_breach(Breach(activation("a7", version="4"), "too slow"))
        wait_until(lambda: bool(writer.written))
    [found] = writer.written
    assert isinstance(found, ModelVerdict)
    assert (found.activation_id, found.name, found.version, found.reason) == ("a7", "gate", "4", "too slow")


def test_a_broker_that_is_away_costs_nothing_but_a_warning(writer: FakeWriter) -> None:
    writer.away = True
    with structlog.testing.capture_logs() as logs:
        announcer = Announcer(writer, logger=get_logger("test"))
        for i in range(3):
            announcer.say(verdict(f"a{i}"))
        announcer.close()
    assert len(writer.written) == 3
    assert [line["reason"] for line in logs] == ["nobody is there"] * 3
