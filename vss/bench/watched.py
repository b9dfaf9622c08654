"""A worker as a bench runs it: in a group of its own, and told of every transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vss.config import Settings
from vss.model_store.evaluation.usage import Stopwatch
from vss.schemas.envelope import Commit, Message, TopicPartition
from vss.streams.ports import Sink
from vss.workers.loop.loop import Loop


class WatchedSink:
    """Tells of every transaction once it is durable (see `Sink`).

    Args:
        sink: Writes them.
        committed: Told what was written, on the committing thread.
    """

    def __init__(self, sink: Sink, committed: Callable[[Sequence[Message]], None]) -> None:
        self._sink = sink
        self._committed = committed

    def transact(self, messages: Sequence[Message], commits: Mapping[TopicPartition, Commit], group: object) -> None:
        """See `Sink.transact`."""
        self._sink.transact(messages, commits, group)
        self._committed(messages)

    def close(self) -> None:
        """See `Sink.close`."""
        self._sink.close()


def in_group(settings: Settings, group: str) -> Settings:
    """The settings of a worker of that consumer group."""
    return settings.model_copy(update={"loop": settings.loop.model_copy(update={"group": group})})


class TimedLoop(Loop):
    """Notes when its partitions arrive: from then on the client fetches."""

    watch: Stopwatch | None = None

    def on_assigned(self, committed: Mapping[TopicPartition, Commit | None]) -> Mapping[TopicPartition, int]:
        """See `Loop.on_assigned`."""
        self.watch = self.watch or Stopwatch()
        return super().on_assigned(committed)
