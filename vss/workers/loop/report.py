"""What the loop tells the outside: metrics, liveness, readiness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Final

from vss.clock import Clock
from vss.metrics import Metrics
from vss.schemas.envelope import Outcome, TopicPartition
from vss.streams.ports import Source

_LAG_EVERY_S = 1.0
_SILENT_S = 60.0
_KIND: Final = attrgetter("kind")
_CAPTURED: Final = attrgetter("captured_ns")


class LoopReport:
    """Counts what one loop does.

    Args:
        step: The step's name, a label of each metric.
        metrics: Where it is counted.
        clock: For ages and silence.
    """

    def __init__(self, step: str, metrics: Metrics, clock: Clock) -> None:
        self._step = step
        self._metrics = metrics
        self._clock = clock
        self._last_turn_s = clock.monotonic()
        self._lag_due_s = 0.0
        self._held = 0
        self._turning = False

    def began(self, records: int) -> None:
        """A micro-batch was read."""
        self._metrics.batch_size.labels(self._step).observe(records)

    def committed(self, outcomes: Sequence[Outcome], seconds: float) -> None:
        """A transaction is durable. Called from the committing thread."""
        metrics, step = self._metrics, self._step
        now_ns = self._clock.now_ns()
        metrics.transaction_seconds.labels(step).observe(seconds)
        for kind, count in Counter(map(_KIND, outcomes)).items():
            metrics.outcomes.labels(step, kind.value).inc(count)
        age = metrics.frame_age.labels(step)
        for captured_ns in map(_CAPTURED, outcomes):
            if captured_ns is not None:
                age.observe(max(0.0, (now_ns - captured_ns) / 1e9))

    def aborted(self) -> None:
        """A transaction was given up."""
        self._metrics.transactions_aborted.labels(self._step).inc()

    def rebalanced(self, kind: str, partitions: Collection[TopicPartition], held: Collection[TopicPartition]) -> None:
        """Partitions came or went; `held` are those held now."""
        self._held = len(held)
        self._metrics.rebalances.labels(self._step, kind).inc()
        self._metrics.assigned_partitions.labels(self._step).set(self._held)
        if kind != "assigned":
            for partition in partitions:
                self._metrics.lag.remove(partition.topic, str(partition.partition))

    def turned(self, source: Source, in_flight: int) -> None:
        """The loop went round once."""
        now_s = self._clock.monotonic()
        self._last_turn_s = now_s
        self._turning = True
        self._metrics.queue_depth.labels(self._step).set(in_flight)
        if now_s >= self._lag_due_s:
            self._lag_due_s = now_s + _LAG_EVERY_S
            for partition, lag in source.lag().items():
                self._metrics.lag.labels(partition.topic, str(partition.partition)).set(lag)

    def health(self) -> list[str]:
        """Why the loop is not alive."""
        silent_s = self._clock.monotonic() - self._last_turn_s
        return [f"the loop has not gone round for {silent_s:.0f} s"] if silent_s > _SILENT_S else []

    def readiness(self) -> list[str]:
        """Why the loop does not serve. A member without partitions is ready: it stands by."""
        return [] if self._turning else ["the loop has not gone round yet"]
