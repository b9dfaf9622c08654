"""The `Source` that reads a real cluster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ConfigError, StreamError, TransactionAborted
from vss.logs import Logger
from vss.schemas.envelope import Commit, Record, TopicPartition
from vss.streams.kafka_config import client, consumer_config, translate
from vss.streams.kafka_records import place_of, records_of
from vss.streams.ports import RebalanceListener

# Short, for a stop must not wait for it: whoever asks asks again.
_CALL_TIMEOUT_S = 1.5
_START_TIMEOUT_S = 10.0


class KafkaSource:
    """A member of a consumer group, with KIP-848 or the classic protocol (see `vss.streams.ports.Source`).

    Args:
        settings: The cluster.
        group: Consumer group.
        logger: For what the client says.
        start_at: `earliest` or `latest`, for partitions the group never committed.
    """

    def __init__(self, settings: KafkaSettings, *, group: str, logger: Logger, start_at: str = "earliest") -> None:
        self._consumer: Consumer = client(Consumer, consumer_config(settings, group=group), logger)
        self._address = settings.bootstrap_servers
        self._logger = logger
        self._start_at = start_at
        # Of each partition held, where it starts for a group without commits.
        self._assigned: dict[TopicPartition, int] = {}
        # Until a first record is read, the client does not say where it stands.
        self._positions: dict[TopicPartition, int] = {}
        # Assigned by the group while its commits could not be had: nobody has been told yet.
        self._unannounced: set[TopicPartition] = set()
        # What changed hands in the current poll.
        self._moved: set[TopicPartition] = set()
        self._listener: RebalanceListener | None = None
        # What a listener raises inside librdkafka's callback is carried out of it and raised by `poll`.
        self._callback_error: Exception | None = None
        self._closed = False

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        """See `Source.subscribe`."""
        self._listener = listener
        self._require(topics)
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _require(self, topics: Sequence[str]) -> None:
        # A group on a topic that is not there waits without a word, for ever.
        try:
            # All topics, for asking after one by name makes it where the cluster creates topics by itself.
            known = self._consumer.list_topics(timeout=_START_TIMEOUT_S).topics
        except KafkaException as error:
            raise translate(error, f"no Kafka broker answers at {self._address}") from error
        for topic in topics:
            if topic not in known:
                raise ConfigError(
                    f"there is no topic {topic} at {self._address}", fix="create the topics: vss topics create"
                )

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """See `Source.poll`."""
        self._announce()
        try:
            # `consume(n, t)` would wait all of t unless n arrive: wait for one, then take what is there.
            messages = self._consumer.consume(1, timeout_s)
            self._moved.clear()
            more = self._consumer.consume(max_records - 1, 0) if messages and max_records > 1 else []
        except KafkaException as error:
            raise translate(error, "reading") from error
        if self._callback_error is not None:
            error_in_callback, self._callback_error = self._callback_error, None
            raise error_in_callback
        # A first record that was read before its partition changed hands is not of the new assignment.
        first = [message for message in messages if place_of(message) not in self._moved]
        return records_of(first + more, self._assigned)

    def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Commit | None]:
        """See `Source.committed`."""
        if not partitions:
            return {}
        try:
            found = self._consumer.committed([_kafka(p) for p in partitions], timeout=_CALL_TIMEOUT_S)
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
        if partition not in self._assigned:
            raise StreamError(f"{partition.topic}[{partition.partition}] is not assigned")
        target = self._assigned[partition] if offset is None else offset
        try:
            self._consumer.seek(_kafka(partition, target))
        except KafkaException as error:
            doing = f"seeking in {partition.topic}[{partition.partition}]"
            if error.args[0].code() == KafkaError._STATE:
                raise BrokerUnavailable(f"{doing}: reading has not started yet") from error
            raise translate(error, doing) from error
        self._positions[partition] = target

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.pause`."""
        self._consumer.pause([_kafka(p) for p in partitions if p in self._assigned])

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.resume`."""
        self._consumer.resume([_kafka(p) for p in partitions if p in self._assigned])

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
        try:
            positions = self._consumer.position([_kafka(p) for p in partitions]) if partitions else []
            for partition, position in zip(partitions, positions, strict=True):
                low, high = self._consumer.get_watermark_offsets(_kafka(partition), cached=True) or (-1, -1)
                at = position.offset if position.offset >= 0 else self._positions[partition]
                if high >= 0:
                    lags[partition] = max(0, high - max(at, low))
        except KafkaException as error:
            self._logger.debug("lag is not known", reason=str(error))
        return lags

    def close(self) -> None:
        """See `Source.close`."""
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def _on_assign(self, _consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        ours = [TopicPartition(p.topic, p.partition) for p in partitions]
        self._moved.update(ours)
        try:
            starts = self._welcome(ours)
        except Exception as error:  # an exception cannot cross librdkafka's callback
            # Without the commits nothing may be read: held, but silent until `_announce` has them. Any offset does:
            # without one the client would ask for the commit itself, and refuse to seek until it has it.
            self._consumer.incremental_assign([_kafka(p, 0) for p in ours])
            self._consumer.pause(partitions)
            self._unannounced.update(ours)
            if not isinstance(error, BrokerUnavailable | TransactionAborted):
                self._callback_error = error
            return
        self._consumer.incremental_assign([_kafka(p, offset) for p, offset in starts.items()])

    def _announce(self) -> None:
        """Tells the listener of partitions whose commits could not be had when they were assigned."""
        if not self._unannounced:
            return
        waiting = sorted(self._unannounced)
        try:
            starts = self._welcome(waiting)
        except (BrokerUnavailable, TransactionAborted) as error:
            self._logger.debug("commits of new partitions are not known yet", reason=str(error))
            return
        self._unannounced.difference_update(waiting)
        for partition, offset in starts.items():
            self.seek(partition, offset)
        self.resume(waiting)

    def _welcome(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Asks the listener where new partitions start; from then on they are held.

        Raises:
            BrokerUnavailable: What the group committed, or where the log begins and ends, could not be had.
        """
        assert self._listener is not None  # noqa: S101 - subscribe comes first
        committed = dict(self.committed(partitions))
        begins: dict[TopicPartition, int] = {}
        lows: dict[TopicPartition, int] = {}
        for partition in partitions:
            low, high = self._bounds(partition)
            lows[partition] = low
            begins[partition] = low if self._start_at == "earliest" else high
            commit = committed[partition]
            if commit is not None and not low <= commit.offset <= high:
                self._logger.warning(
                    "the log does not hold the committed offset; reading from its beginning",
                    topic=partition.topic,
                    partition=partition.partition,
                    committed=commit.offset,
                    log=[low, high],
                )
                # Beyond the end the topic was cut or made anew: what was committed is about another log.
                committed[partition] = Commit(low, commit.metadata) if commit.offset < low else None
                begins[partition] = low
        wanted = self._listener.on_assigned(committed)
        starts = {}
        for partition in partitions:
            commit = committed[partition]
            fallback = commit.offset if commit is not None else begins[partition]
            # What a listener wants to read again may be gone.
            starts[partition] = max(lows[partition], wanted.get(partition, fallback))
        self._assigned.update(begins)
        self._positions.update(starts)
        return starts

    def _bounds(self, partition: TopicPartition) -> tuple[int, int]:
        try:
            found = self._consumer.get_watermark_offsets(_kafka(partition), timeout=_CALL_TIMEOUT_S)
        except KafkaException as error:
            raise translate(error, f"asking where {partition.topic}[{partition.partition}] begins and ends") from error
        if found is None:
            raise BrokerUnavailable(f"no answer to where {partition.topic}[{partition.partition}] begins and ends")
        low, high = found
        return low, high

    def _on_revoke(self, _consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        self._give_up(partitions, lost=False)

    def _on_lost(self, _consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        self._give_up(partitions, lost=True)

    def _give_up(self, partitions: list[KafkaPartition], *, lost: bool) -> None:
        ours = [TopicPartition(p.topic, p.partition) for p in partitions]
        self._moved.update(ours)
        announced = [partition for partition in ours if partition in self._assigned]
        try:
            if self._listener is not None and announced:
                (self._listener.on_lost if lost else self._listener.on_revoked)(announced)
        except Exception as error:  # raised again by `poll`; an exception cannot cross librdkafka's callback
            self._callback_error = error
        for partition in announced:
            del self._assigned[partition], self._positions[partition]
        self._unannounced.difference_update(ours)
        self._consumer.incremental_unassign(partitions)


def _kafka(partition: TopicPartition, offset: int = OFFSET_INVALID) -> KafkaPartition:
    return KafkaPartition(partition.topic, partition.partition, offset)
