"""What is known of each source, by partition, and how it survives a hand-over (see `KeyedState`).

Beside its offset a commit holds, as JSON, `rewind`, the first record that a new owner needs, and `told`, the problems
whose start was said and whose end was not. So nobody says a start twice, however long ago it was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import orjson

from vss.config import QualitySettings
from vss.logs import Logger
from vss.schemas.envelope import Commit, Message, Record, TopicPartition
from vss.workers.loop.keyed_state import Timed
from vss.workers.quality.arrivals import Arrivals
from vss.workers.quality.episodes import Change, Episodes, Topic, Where

_MEMORY_BYTES: Final = 4_000
"""Of the 4,096 that Kafka stores beside an offset."""
_LOOK_EVERY_NS: Final = 1_000_000_000
# Until what was written while nobody read has been fetched, nobody is silent.
_FETCH_MS: Final = 5_000
_REBUILD_MS: Final = 60_000
_SILENT: Final = Topic("silent")


class Watch(Protocol):
    """What is known of one source.

    Attributes:
        episodes: Its problems.
        arrivals: Its last records.
    """

    episodes: Episodes
    arrivals: Arrivals

    def oldest_offset(self) -> int:
        """The first offset that its state needs."""


@dataclass(slots=True)
class _Partition:
    """One partition's sources.

    Attributes:
        started_ms: When this worker began to read it.
        settled: What lies below has its outcome; until there, it is rebuilt.
        newest: The newest offset that was taken in.
        restored: What the commit says was told, until the first record behind it.
    """

    started_ms: int
    settled: int
    newest: int = -1
    restored: dict[bytes, list[tuple[Topic, Where]]] | None = None
    watches: dict[bytes, Watch] = field(default_factory=dict)


class QualityState:
    """The sources of all partitions held. Belongs to the loop's thread.

    Args:
        settings: What is wrong.
        max_rewind: Records that a hand-over may read again.
        new_watch: Makes the watch of a source: topic and key.
        rebuild_with: Takes records in without saying anything.
        message: Writes a change: partition, key, change.
        now_ms: Milliseconds since the epoch.
        logger: Told of commits that cannot be read.
    """

    def __init__(
        self,
        settings: QualitySettings,
        *,
        max_rewind: int,
        new_watch: Callable[[str, bytes], Watch],
        rebuild_with: Callable[[Sequence[Record]], object],
        message: Callable[[TopicPartition, bytes, Change], Message],
        now_ms: Callable[[], int],
        logger: Logger,
    ) -> None:
        self._settings = settings
        self._max_rewind = max_rewind
        self._new_watch = new_watch
        self._rebuild_with = rebuild_with
        self._message = message
        self._now_ms = now_ms
        self._logger = logger
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._looked_ns = 0

    def sources(self) -> int:
        """How many are watched."""
        return sum(len(partition.watches) for partition in self._partitions.values())

    def knows(self, record: Record) -> bool:
        """Whether its source is watched."""
        partition = self._partitions.get(record.topic_partition)
        return partition is not None and (record.key or b"") in partition.watches

    def watch(self, record: Record) -> Watch:
        """The watch of a record's source."""
        partition, key = self._partitions[record.topic_partition], record.key or b""
        partition.newest = record.offset
        watch = partition.watches.get(key)
        if watch is None:
            watch = partition.watches[key] = self._new_watch(record.topic_partition.topic, key)
        return watch

    def go_live(self, partitions: Iterable[TopicPartition]) -> None:
        """What is taken in from here on has no outcome yet: what the commit says was told, was told."""
        for place in partitions:
            partition = self._partitions[place]
            if (restored := partition.restored) is None:
                continue
            partition.restored = None
            for key in restored.keys() - partition.watches.keys():
                partition.watches[key] = self._new_watch(place.topic, key)
            for key, watch in partition.watches.items():
                told = restored.get(key, [])
                if any(about == _SILENT for about, _ in told):
                    watch = partition.watches[key] = self._new_watch(place.topic, key)
                watch.episodes.restore(told)

    # `KeyedState`.

    def start(self, partition: TopicPartition, commit: Commit | None) -> int | None:
        """See `KeyedState.start`."""
        held = self._partitions[partition] = _Partition(self._now_ms(), commit.offset if commit is not None else 0)
        if commit is None or not commit.metadata:
            return None
        try:
            document = orjson.loads(commit.metadata)
            rewind = int(document["rewind"])
            held.restored = {}
            for key, problem, feature, offset, ts_ms in document["told"]:
                told = held.restored.setdefault(key.encode(), [])
                told.append((Topic(problem, feature), Where(offset, ts_ms)))
        except (ValueError, KeyError, TypeError, AttributeError):
            self._logger.warning("what the commit remembers cannot be read", partition=str(partition))
            held.restored = None
            return None
        return min(rewind, commit.offset)

    def rebuild(self, records: Sequence[Record]) -> None:
        """See `KeyedState.rebuild`."""
        self._rebuild_with(records)

    def memory(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, str]:
        """See `KeyedState.memory`."""
        return {place: self._memory(self._partitions[place]) for place in partitions}

    def timed(self, now_ns: int) -> Sequence[Timed]:
        """See `KeyedState.timed`: sources that fell silent."""
        if now_ns - self._looked_ns < _LOOK_EVERY_NS:
            return ()
        self._looked_ns = now_ns
        now_ms = now_ns // 1_000_000
        due = []
        for place, partition in self._partitions.items():
            waited_ms = now_ms - partition.started_ms
            # Marks of transactions take offsets too, so a rebuild may seem to end early.
            if waited_ms < (_FETCH_MS if partition.newest + 1 >= partition.settled else _REBUILD_MS):
                continue
            self.go_live([place])
            for key, watch in list(partition.watches.items()):
                changes = self._silence(place, key, watch, partition.started_ms, now_ms)
                due += [Timed(place, self._message(place, key, change)) for change in changes]
        return due

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """See `KeyedState.forget`."""
        for place in partitions:
            self._partitions.pop(place, None)

    # Silence.

    def _silence(self, place: TopicPartition, key: bytes, watch: Watch, started_ms: int, now_ms: int) -> list[Change]:
        run = watch.episodes.get(_SILENT)
        if run is not None:
            if now_ms - run.since.ts_ms > self._settings.forget_after_s * 1000:
                del self._partitions[place].watches[key]
            return []
        newest = watch.arrivals.newest
        if newest is None:
            return []
        quiet_ms = now_ms - max(newest.arrived_ms, started_ms)
        interval_ms = watch.arrivals.interval_ms()
        limit_ms = self._settings.silent_unknown_s * 1000
        usually = ""
        if interval_ms is not None:
            limit_ms = max(self._settings.silent_intervals * interval_ms, self._settings.silent_after_s * 1000)
            usually = f", usually something every {interval_ms / 1000:.3g} s"
        if quiet_ms <= limit_ms:
            return []
        at = Where(newest.offset, newest.ts_ms)
        changes = []
        for about, _ in watch.episodes.told():
            changes += list(watch.episodes.end(about, at, "the source fell silent"))
        fresh = self._partitions[place].watches[key] = self._new_watch(place.topic, key)
        since = Where(newest.offset, newest.arrived_ms)
        detail = f"nothing for {(now_ms - newest.arrived_ms) / 1000:.0f} s{usually}"
        return [*changes, *fresh.episodes.begin(_SILENT, since, detail)]

    def spoke(self, record: Record, watch: Watch) -> list[Change]:
        """A source that was silent is not."""
        at = Where(record.offset, record.timestamp_ms)
        return list(watch.episodes.end(_SILENT, at, "it sends again"))

    # Memory.

    def _memory(self, partition: _Partition) -> str:
        rewind = partition.newest + 1
        told: list[list[object]] = []
        for key, watch in partition.watches.items():
            if watch.arrivals.newest is not None:
                rewind = min(rewind, watch.oldest_offset())
            for about, run in watch.episodes.told():
                told.append([key.decode(), about.problem, about.feature, run.since.offset, run.since.ts_ms])
        rewind = max(0, rewind, partition.newest + 1 - self._max_rewind)
        told.sort(key=lambda row: str(row[3:]))
        text = orjson.dumps({"rewind": rewind, "told": told})
        while len(text) > _MEMORY_BYTES:
            # What does not fit is told once more by a new owner, with the same id.
            told = told[: len(told) * _MEMORY_BYTES // len(text)]
            text = orjson.dumps({"rewind": rewind, "told": told})
        return text.decode()
