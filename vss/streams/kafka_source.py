"""The `Source` that reads a real cluster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, Consumer, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from vss.config import KafkaSettings
from vss.errors import ConfigError, StreamError
from vss.logs import Logger
from vss.schemas.envelope import Commit, Record, TopicPartition
from vss.streams.kafka_config import client, consumer_config, translate
from vss.streams.kafka_records import number, record_of
from vss.streams.ports import RebalanceListener

_COMMITTED_TIMEOUT_S = 30.0


class KafkaSource:
    """A member of a consumer group, with KIP-848 or the classic protocol (see `vss.streams.ports.Source`).

    Args:
        settings: The cluster.
        group: Consumer group.
        logger: For what the client says.
        start_at: `earliest` or `latest`, for partitions the group never committed.
    """

    def __init__(self, settings: KafkaSettings, *, group: str, logger: Logger, start_at: str = "earliest") -> None:
        self._consumer: Consumer = client(Consumer, consumer_config(settings, group=group, start_at=start_at), logger)
        self._start = OFFSET_BEGINNING if start_at == "earliest" else OFFSET_END
        self._assigned: set[TopicPartition] = set()
        self._listener: RebalanceListener | None = None
        # What a listener raises inside librdkafka's callback is carried out of it and raised by `poll`.
        self._callback_error: Exception | None = None
        self._closed = False

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        """See `Source.subscribe`."""
        self._listener = listener
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """See `Source.poll`."""
        try:
            # `consume(n, t)` would wait all of t unless n arrive: wait for one, then take what is there.
            messages = self._consumer.consume(1, timeout_s)
            if messages and max_records > 1:
                messages += self._consumer.consume(max_records - 1, 0)
        except KafkaException as error:
            raise translate(error, "reading") from error
        if self._callback_error is not None:
            error_in_callback, self._callback_error = self._callback_error, None
            raise error_in_callback
        return [record_of(message) for message in messages if self._is_record(message)]

    def _is_record(self, message: Message) -> bool:
        if (error := message.error()) is not None:
            translated = translate(error, "reading")
            if isinstance(translated, ConfigError) or error.fatal():
                raise translated
            # What is left is passing (a broker went away, a leader moved): librdkafka goes on by itself.
            return False
        return TopicPartition(message.topic() or "", number(message.partition())) in self._assigned

    def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Commit | None]:
        """See `Source.committed`."""
        try:
            found = self._consumer.committed([_kafka(p) for p in partitions], timeout=_COMMITTED_TIMEOUT_S)
        except KafkaException as error:
            raise translate(error, "reading committed offsets") from error
        commits: dict[TopicPartition, Commit | None] = {}
        for entry in found:
            if entry.error is not None:
                raise translate(entry.error, "reading committed offsets")
            commits[TopicPartition(entry.topic, entry.partition)] = (
                Commit(entry.offset, entry.metadata or "") if entry.offset >= 0 else None
            )
        return commits

    def seek(self, partition: TopicPartition, offset: int | None) -> None:
        """See `Source.seek`."""
        try:
            self._consumer.seek(_kafka(partition, self._start if offset is None else offset))
        except KafkaException as error:
            raise translate(error, f"seeking in {partition.topic}[{partition.partition}]") from error

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.pause`."""
        self._consumer.pause([_kafka(p) for p in partitions])

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.resume`."""
        self._consumer.resume([_kafka(p) for p in partitions])

    def assignment(self) -> frozenset[TopicPartition]:
        """See `Source.assignment`."""
        return frozenset(self._assigned)

    def group(self) -> object:
        """See `Source.group`."""
        return self._consumer.consumer_group_metadata()

    def lag(self) -> Mapping[TopicPartition, int]:
        """See `Source.lag`."""
        lags: dict[TopicPartition, int] = {}
        partitions = sorted(self._assigned)
        for partition, position in zip(
            partitions, self._consumer.position([_kafka(p) for p in partitions]), strict=True
        ):
            low, high = self._consumer.get_watermark_offsets(_kafka(partition), cached=True) or (-1, -1)
            if high >= 0:
                lags[partition] = max(0, high - max(position.offset, low, 0))
        return lags

    def close(self) -> None:
        """See `Source.close`."""
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def _on_assign(self, _consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        ours = [TopicPartition(p.topic, p.partition) for p in partitions]
        starts: Mapping[TopicPartition, int] = {}
        try:
            committed = self.committed(ours)
            if self._listener is not None:
                starts = self._listener.on_assigned(committed)
        except Exception as error:  # raised again by `poll`; an exception cannot cross librdkafka's callback
            self._callback_error = error
            committed = dict.fromkeys(ours)
            if isinstance(error, StreamError):
                # Without knowing the committed offsets, leave finding them to librdkafka.
                self._incremental_assign([_kafka(p, OFFSET_INVALID) for p in ours])
                self._assigned.update(ours)
                return
        self._incremental_assign([_kafka(p, self._first_offset(starts.get(p), committed[p])) for p in ours])
        self._assigned.update(ours)

    def _first_offset(self, wanted: int | None, commit: Commit | None) -> int:
        if wanted is not None:
            return wanted
        return commit.offset if commit is not None else self._start

    def _incremental_assign(self, partitions: list[KafkaPartition]) -> None:
        self._consumer.incremental_assign(partitions)

    def _on_revoke(self, _consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        self._give_up(partitions, lost=False)

    def _on_lost(self, _consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        self._give_up(partitions, lost=True)

    def _give_up(self, partitions: list[KafkaPartition], *, lost: bool) -> None:
        ours = [TopicPartition(p.topic, p.partition) for p in partitions]
        try:
            if self._listener is not None:
                (self._listener.on_lost if lost else self._listener.on_revoked)(ours)
        except Exception as error:  # raised again by `poll`; an exception cannot cross librdkafka's callback
            self._callback_error = error
        self._assigned.difference_update(ours)
        self._consumer.incremental_unassign(partitions)


def _kafka(partition: TopicPartition, offset: int = OFFSET_INVALID) -> KafkaPartition:
    return KafkaPartition(partition.topic, partition.partition, offset)
