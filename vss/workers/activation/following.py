"""Keeps what a worker serves in step with the log of activations, and says what came of each.

A record of the log goes to `Serving.apply`, which loads, warms and tries the version beside the one that serves and
swaps between two micro-batches; what came of it goes to `model-events`. A version that breaks its limits is left by the
worker that finds it at once, and by all others when they read its verdict.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from types import TracebackType
from typing import Protocol

from vss.clock import Clock, SystemClock
from vss.codecs.headers import format_time
from vss.config import KafkaSettings
from vss.errors import ModelError
from vss.logs import Logger
from vss.metrics import Metrics
from vss.model_store.layout import is_file_spec
from vss.model_store.serving.swap import Breach, SwapResult
from vss.schemas.models import ModelActivation, ModelEvent, ModelVerdict
from vss.streams.activation_log import ActivationFollower
from vss.streams.activation_state import ActivationState
from vss.streams.activation_writer import ActivationWriter
from vss.workers.activation.announcer import Announcer, Writer

SWAPPED, REFUSED, ROLLED_BACK = "swapped", "refused", "rolled_back"
_AGAIN_S = 30.0


class Servable(Protocol):
    """What serves: `vss.model_store.serving.serving.Serving`."""

    on_breach: Callable[[Breach], None]
    on_fall_back: Callable[[ModelActivation, SwapResult], None]

    def serve(self, spec: str, task: str) -> SwapResult:
        """Loads a model at the start; raises `ModelError` where not even the version before can be served."""

    def apply(self, activation: ModelActivation, *, given_up: bool) -> Future[SwapResult]:
        """Starts a swap. Where nobody has asked for the model, it is remembered, and `serving` is None."""


class Following:
    """Serves models and follows the log while a worker runs.

    Args:
        servable: What serves.
        settings: The cluster and the prefix.
        group: The worker's consumer group.
        metrics: Where swaps are counted.
        logger: For what a person wants to know.
        clock: For timestamps.
        writer: Writes events and verdicts; to the cluster by default.
    """

    def __init__(
        self,
        servable: Servable,
        settings: KafkaSettings,
        *,
        group: str,
        metrics: Metrics,
        logger: Logger,
        clock: Clock | None = None,
        writer: Writer | None = None,
    ) -> None:
        self._servable = servable
        self._group = group
        self._metrics = metrics
        self._logger = logger
        self._clock = clock if clock is not None else SystemClock()
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        # Changes wait until what held at the start is applied.
        self._lock = threading.Lock()
        self._states: dict[str, ActivationState] = {}
        self._started = False
        self._said_refused: dict[str, str] = {}
        self._left = threading.Event()
        self._follower = ActivationFollower(settings, on_change=self._changed, logger=logger, clock=clock)
        self._announcer = Announcer(writer or ActivationWriter(settings, patient=True, logger=logger), logger=logger)
        servable.on_breach = self._broke
        servable.on_fall_back = self._refused

    def __enter__(self) -> Following:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left.set()
        self._follower.close()
        self._announcer.close()

    def start(self) -> None:
        """Reads the log to its end, and follows it from there on. Done by `serve`; once.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        with self._lock:
            if self._started:
                return
            self._started = True
            self._states = self._follower.start()
            # What is not served yet is remembered for when it is; what routes have opened beside a pinned model swaps
            # before the first frame.
            futures.wait([self._apply(state) for state in self._states.values()])

    def serve(self, spec: str, task: str) -> None:
        """Serves a model: the version that the log says, else the one before it, else the highest.

        A name with its version and a file follow nothing; they are loaded before the log is read, so that what is wrong
        with them is said first. Models that records name may follow it all the same.

        Raises:
            ModelError: None can be served.
            BrokerUnavailable: No broker answers.
        """
        if is_file_spec(spec) or "@" in spec:
            self._servable.serve(spec, task)
            self.start()
            return
        self.start()
        try:
            swap = self._servable.serve(spec, task)
        except ModelError as error:
            if (state := self._states.get(spec)) is not None:
                self._say(REFUSED, state.activation, serving=None, reason=str(error))
            raise
        # Looked up now: what was activated while it was loaded is what was loaded.
        if (state := self._states.get(spec)) is not None:
            self._tell(state, swap, "the worker started")

    def _changed(self, name: str, state: ActivationState) -> None:
        with self._lock:
            self._states[name] = state
            self._apply(state)

    def _apply(self, state: ActivationState) -> Future[SwapResult]:
        future = self._servable.apply(state.activation, given_up=state.given_up)
        future.add_done_callback(lambda done: self._applied(state, done))
        return future

    def _applied(self, state: ActivationState, done: Future[SwapResult]) -> None:
        if done.cancelled():
            return  # the worker stops
        activation = state.activation
        if (error := done.exception()) is not None:
            self._say(REFUSED, activation, serving=None, reason=f"{type(error).__name__}: {error}")
            return
        swap = done.result()
        if swap.swapped and swap.serving is None:
            return  # nobody has asked for the model here
        self._tell(state, swap, activation.reason or _share(activation))

    def _tell(self, state: ActivationState, swap: SwapResult, why: str) -> None:
        if not swap.swapped:
            self._refused(state.activation, swap)
            if swap.may_pass:
                timer = threading.Timer(_AGAIN_S, self._again, [state])
                timer.daemon = True
                timer.start()
        elif state.verdict is not None:
            self._say(ROLLED_BACK, state.activation, serving=swap.serving, reason=state.verdict.reason)
        else:
            self._say(SWAPPED, state.activation, serving=swap.serving, reason=why)

    def _refused(self, activation: ModelActivation, swap: SwapResult) -> None:
        """Says so, once an activation: it may be tried again and again."""
        if self._said_refused.get(activation.name) != activation.id:
            self._said_refused[activation.name] = activation.id
            self._say(REFUSED, activation, serving=swap.serving, reason=swap.reason)

    def _again(self, state: ActivationState) -> None:
        """The store was away; it may be back, and operators may have changed their minds."""
        if not self._left.is_set() and self._states.get(state.activation.name) == state:
            self._changed(state.activation.name, state)

    def _broke(self, breach: Breach) -> None:
        """The worker has gone back by itself; now all others shall."""
        activation = breach.activation
        self._logger.warning(
            "a version broke its limits", model=activation.name, version=activation.version, reason=breach.reason
        )
        self._announcer.say(
            ModelVerdict(
                id=uuid.uuid4().hex,
                activation_id=activation.id,
                name=activation.name,
                version=activation.version,
                reason=breach.reason,
                worker=self._worker,
                timestamp=format_time(self._clock.now_ns()),
            )
        )

    def _say(self, kind: str, activation: ModelActivation, *, serving: str | None, reason: str) -> None:
        self._metrics.model_swaps.labels(activation.name, kind).inc()
        log = self._logger.info if kind == SWAPPED else self._logger.warning
        log(f"model {kind}".replace("_", " "), model=activation.name, version=activation.version, reason=reason)
        self._announcer.say(
            ModelEvent(
                id=uuid.uuid4().hex,
                kind=kind,
                name=activation.name,
                version=activation.version,
                serving=serving,
                activation_id=activation.id,
                reason=reason,
                worker=self._worker,
                group=self._group,
                timestamp=format_time(self._clock.now_ns()),
            )
        )


def _share(activation: ModelActivation) -> str:
    if activation.percent < 100:
        return f"a canary on {activation.percent} % of the keys"
    return "activated"
