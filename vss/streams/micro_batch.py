"""Micro-batches: what is there, up to a number of records and bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate

from vss.clock import Clock, Deadline
from vss.schemas.envelope import Record, TopicPartition
from vss.streams.ports import Source


class MicroBatcher:
    """Cuts what a source delivers into batches.

    A batch closes at `max_items`, at `max_bytes` (one larger record travels alone) or when nothing more is there; only
    with `max_wait_s` above zero does it wait for more.

    Args:
        source: Where records come from.
        max_items: Records in a batch.
        max_bytes: Bytes of keys and values in a batch.
        max_wait_s: How long a batch that is not full waits for more.
        clock: For waiting.
    """

    def __init__(self, source: Source, *, max_items: int, max_bytes: int, max_wait_s: float, clock: Clock) -> None:
        self._source = source
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._max_wait_s = max_wait_s
        self._clock = clock
        # What was polled and did not fit: about `max_items` records at most. One object for good: a poll that is about
        # to extend it may first discard from it, when partitions go.
        self._rest: list[Record] = []

    def next(self, timeout_s: float) -> list[Record]:
        """The next batch; empty when nothing came within `timeout_s`.

        Raises what `Source.poll` raises.
        """
        if not self._rest:
            self._rest.extend(self._source.poll(self._max_items, timeout_s))
        else:
            # Polling is also how the group knows that we live.
            self._rest.extend(self._source.poll(max(1, self._max_items - len(self._rest)), 0.0))
        if self._rest and self._max_wait_s > 0:
            self._wait_for_more()
        return self._cut()

    def keep_alive(self, timeout_s: float) -> None:
        """Polls without reading on, so that the group keeps a member that cannot process now.

        Call `resume` when it can again.
        """
        self._source.pause(self._source.assignment())
        # A partition that arrives in this very poll is not paused yet and may deliver one record.
        self._rest.extend(self._source.poll(1, timeout_s))

    def resume(self) -> None:
        """Ends what `keep_alive` began."""
        self._source.resume(self._source.assignment())

    def discard(self, partitions: Collection[TopicPartition] | None = None) -> None:
        """Forgets what was polled and not handed out: the caller seeks, or has lost the partitions.

        Args:
            partitions: Of these alone; None forgets everything.
        """
        self._rest[:] = [] if partitions is None else [r for r in self._rest if r.topic_partition not in partitions]

    def _wait_for_more(self) -> None:
        deadline = Deadline.after(self._max_wait_s, self._clock)
        while not self._full() and not deadline.passed():
            self._rest.extend(self._source.poll(self._max_items - len(self._rest), deadline.remaining_s()))

    def _full(self) -> bool:
        return len(self._rest) >= self._max_items or sum(_sizes(self._rest)) >= self._max_bytes

    def _cut(self) -> list[Record]:
        batch = self._rest[: self._max_items]
        sizes = _sizes(batch)
        if sum(sizes) > self._max_bytes:
            fitting = bisect_right(list(accumulate(sizes)), self._max_bytes)
            batch = batch[: max(1, fitting)]
        del self._rest[: len(batch)]
        return batch


def _sizes(records: Sequence[Record]) -> list[int]:
    """Bytes of key and value of each."""
    return [len(record.value or b"") + len(record.key or b"") for record in records]
