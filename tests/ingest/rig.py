"""A camera or sensor on Kafka's twin in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vss.clock import Clock, Deadline, SystemClock
from vss.metrics import Metrics
from vss.schemas.envelope import Record
from vss.testing import InMemoryBroker, InMemoryPublisher
from vss.workers.ingest.feed import Feed


class FeedRig:
    """One feed at a time, called by the id that is the metrics' label.

    Args:
        topic: What it writes to.
        label: Of the metrics: name and value.
        clock: Time.
    """

    def __init__(self, topic: str, label: tuple[str, str], clock: Clock | None = None) -> None:
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.broker = InMemoryBroker({topic: 1}, self.clock)
        self.publisher = InMemoryPublisher(self.broker)
        self.metrics = Metrics()
        self._topic = topic
        self._label = label

    def finish(self, feed: Feed, within_s: float = 60.0) -> None:
        """Runs a feed whose source ends."""
        feed.start()
        wait_until(lambda: feed.ended, within_s)
        feed.join(Deadline.after(10, SystemClock()))

    def stop(self, feed: Feed) -> None:
        feed.stop()
        feed.join(Deadline.after(30, SystemClock()))
        assert feed.ended

    def records(self) -> list[Record]:
        return self.broker.records(self._topic)

    def metric(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(name, dict([self._label]) | labels)
        return value if value is not None else float("nan")


def wait_until(condition: Callable[[], object], within_s: float = 60.0) -> None:
    """Polls; fails the test when the condition does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        threading.Event().wait(0.02)
