"""Reads topics outside any consumer group: to look, to audit, to rebuild a view."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from vss.clock import Clock, Deadline, SystemClock
from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ConfigError
from vss.logs import Logger, get_logger
from vss.schemas.envelope import Record, TopicPartition
from vss.streams.kafka_config import client, reader_config, translate
from vss.streams.kafka_records import is_record, number, place_of, record_of

_BATCH = 512
_POLL_S = 0.05
# Of a broker that was given all the patience already.
_SECOND_LOOK_S = 4.0
_NEVER = threading.Event()


@dataclass(frozen=True, slots=True)
class Span:
    """The offsets of a partition that a `read_committed` reader may find something at.

    Attributes:
        low: The first offset that retention has left.
        end: The offset before which every transaction is decided. Not every offset between the two is a record: some
            are transaction markers or belong to transactions that were given up.
    """

    low: int
    end: int


class LogReader:
    """Reads what is committed, from where it is told to; joins no group and commits nothing. For one thread.

    Args:
        settings: The cluster.
        logger: For what the client says.
        clock: For deadlines.
        patience_s: How long a call may go on when no broker answers.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        logger: Logger | None = None,
        clock: Clock | None = None,
        patience_s: float = 8.0,
    ) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._patience_s = patience_s
        self._config = reader_config(settings)
        self._servers = settings.bootstrap_servers
        self._logger = logger if logger is not None else get_logger("reader")
        self._consumer: Consumer = client(Consumer, self._config, self._logger)
        # What asks where a group is, by group: a client takes longer to connect than its question does.
        self._askers: dict[str, Consumer] = {}

    def __enter__(self) -> LogReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def spans(self, topics: Sequence[str]) -> dict[TopicPartition, Span]:
        """What there is now in each partition of some topics.

        Raises:
            BrokerUnavailable: No broker answers.
            ConfigError: A topic does not exist, or this user may not read it.
        """
        metadata = self._call(
            lambda: self._consumer.list_topics(timeout=self._patience_s), f"looking at the topics of {self._servers}"
        )
        spans: dict[TopicPartition, Span] = {}
        for topic in topics:
            found = metadata.topics.get(topic)
            if found is None or not found.partitions:
                raise ConfigError(f"there is no topic {topic}", fix="create the topics: vss topics create")
            if found.error is not None:
                raise translate(found.error, f"looking at {topic}")
            for partition in sorted(found.partitions):
                spans[TopicPartition(topic, partition)] = self._span(self._consumer, topic, partition)
        return spans

    def decided_spans(self, topics: Sequence[str], deadline: Deadline) -> dict[TopicPartition, Span]:
        """As `spans`, once every transaction that had written before this call is decided.

        A commit is known to its group a moment before the last of its topics shows it, so whoever has seen the group's
        offsets move and wants to see all that belongs to them asks here. After the deadline what there is must do.
        """
        spans = self.spans(topics)
        looks = client(Consumer, self._config | {"isolation.level": "read_uncommitted"}, self._logger)
        try:
            written = {p: self._span(looks, p.topic, p.partition).end for p in spans}
        finally:
            looks.close()
        while any(spans[p].end < end for p, end in written.items()) and not deadline.passed():
            self._clock.wait(_NEVER, _POLL_S)
            spans = self.spans(topics)
        return spans

    def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int | None]:
        """Where a consumer group is; None where it never committed. Open transactions on its offsets are waited for.

        Raises:
            BrokerUnavailable: No broker answers, or a transaction on the group's offsets stays open.
        """
        if group not in self._askers:
            self._askers[group] = client(Consumer, self._config | {"group.id": group}, self._logger)
        asker = self._askers[group]
        asked = [KafkaPartition(p.topic, p.partition) for p in partitions]
        try:
            found = self._call(
                lambda: asker.committed(asked, timeout=self._patience_s), f"asking where group {group} is"
            )
        except BrokerUnavailable as error:
            if self._answers_of_undecided(group, asked):
                raise BrokerUnavailable(
                    f"the broker does not say where group {group} is: a transaction on its offsets stays open",
                    fix=f"see which, and what ends it: VSS_LOOP__GROUP={group} vss doctor",
                ) from error
            raise
        for entry in found:
            if entry.error is not None:
                raise translate(entry.error, f"asking where group {group} is")
        return {TopicPartition(p.topic, p.partition): p.offset if p.offset >= 0 else None for p in found}

    def offsets_at(self, partitions: Collection[TopicPartition], time_ms: int) -> dict[TopicPartition, int | None]:
        """The first offset of each partition whose timestamp is at or after a time; None where there is none.

        Args:
            partitions: Which.
            time_ms: Milliseconds since the epoch.
        """
        asked = [KafkaPartition(p.topic, p.partition, max(0, time_ms)) for p in partitions]
        found = self._call(
            lambda: self._consumer.offsets_for_times(asked, timeout=self._patience_s), "looking for a time"
        )
        return {TopicPartition(p.topic, p.partition): p.offset if p.offset >= 0 else None for p in found}

    def read(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int], *, max_records: int = _BATCH
    ) -> Iterator[list[Record]]:
        """Everything from `starts` up to, and without, `ends`; then it is over.

        Partitions come interleaved, each in its order.

        Raises:
            BrokerUnavailable: Nothing came for a while although the ends are not reached.
        """
        waiting = {p for p, start in starts.items() if start < ends[p]}
        self._assign({p: starts[p] for p in waiting})
        deadline = Deadline.after(self._patience_s, self._clock)
        while waiting:
            messages = self._consume(max_records, 0.25)
            if messages:
                deadline = Deadline.after(self._patience_s, self._clock)
            elif deadline.passed():
                raise BrokerUnavailable(
                    f"nothing came from {_names(waiting)} for {self._patience_s:.0f} s",
                    fix="see whether the broker runs: vss doctor",
                )
            records = []
            for message in messages:
                partition = place_of(message)
                if partition not in waiting:
                    continue
                # A message at or behind the end, or the client's word that it stands there: all of it was read.
                at_end = number(message.offset()) >= ends[partition]
                if not at_end and is_record(message):
                    records.append(record_of(message))
                    at_end = number(message.offset()) + 1 >= ends[partition]
                if at_end:
                    waiting.discard(partition)
                    self._consumer.incremental_unassign([KafkaPartition(partition.topic, partition.partition)])
            if records:
                yield records

    def follow(
        self, starts: Mapping[TopicPartition, int], *, max_records: int = _BATCH, timeout_s: float = 0.25
    ) -> Iterator[list[Record]]:
        """Everything from `starts` on, for ever; an empty list whenever nothing came within `timeout_s`.

        A broker that goes away is waited for.
        """
        self._assign(starts)
        while True:
            yield [record_of(message) for message in self._consume(max_records, timeout_s) if is_record(message)]

    def close(self) -> None:
        """Disconnects."""
        for consumer in (self._consumer, *self._askers.values()):
            consumer.close()

    def _answers_of_undecided(self, group: str, asked: list[KafkaPartition]) -> bool:
        """Whether the broker says where a group is to one who does not mind open transactions."""
        config = self._config | {"group.id": group, "isolation.level": "read_uncommitted"}
        looks = client(Consumer, config, self._logger)
        try:
            looks.committed(asked, timeout=_SECOND_LOOK_S)
        except KafkaException:
            return False
        finally:
            looks.close()
        return True

    def _span(self, consumer: Consumer, topic: str, partition: int) -> Span:
        at = KafkaPartition(topic, partition)
        low, end = self._call(
            lambda: consumer.get_watermark_offsets(at, timeout=self._patience_s),
            f"looking for the end of {topic}[{partition}]",
        )
        return Span(low, end)

    def _assign(self, starts: Mapping[TopicPartition, int]) -> None:
        self._consumer.unassign()
        self._consumer.incremental_assign([KafkaPartition(p.topic, p.partition, start) for p, start in starts.items()])

    def _consume(self, max_records: int, timeout_s: float) -> list[Message]:
        # `consume(n, t)` would wait all of t unless n arrive: wait for one, then take what is there.
        messages: list[Message] = self._call(lambda: self._consumer.consume(1, timeout_s), "reading")
        if messages and max_records > 1:
            messages += self._call(lambda: self._consumer.consume(max_records - 1, 0), "reading")
        return messages

    def _call(self, call: Callable[[], Any], doing: str) -> Any:
        """Calls, and again while the cluster is passing through something (a topic just made, a leader that moves)."""
        deadline = Deadline.after(self._patience_s, self._clock)
        while True:
            try:
                return call()
            except KafkaException as error:
                translated = translate(error, doing)
                if not isinstance(translated, BrokerUnavailable) or deadline.passed():
                    raise translated from error
            self._clock.wait(_NEVER, _POLL_S)


def _names(partitions: Collection[TopicPartition]) -> str:
    return ", ".join(f"{p.topic}[{p.partition}]" for p in sorted(partitions))
