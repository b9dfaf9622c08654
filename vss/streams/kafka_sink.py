"""The `Sink` that writes to a real cluster."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from vss.clock import Clock, Deadline, SystemClock
from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ConfigError, TransactionAborted
from vss.logs import Logger
from vss.schemas.envelope import Commit, Message, TopicPartition
from vss.streams.daemon_thread import DaemonThread
from vss.streams.kafka_config import client, transactional_config, translate

# Of one call, which is repeated until the deadline: what `close` may have to wait for.
_CALL_TIMEOUT_S = 0.5
_CLOSE_TIMEOUT_S = 0.5
_START_TIMEOUT_S = 10.0
# Until the markers of a transaction are written, some milliseconds after its end, the broker lets nothing into the next
# one, and the client asks it again after 20 ms.
_MARKERS_S = 0.005
# Of a call that should have come back long ago: the client has lost the answer, and will not come back at all.
_STUCK_AFTER_S = 5.0


class KafkaSink:
    """A transactional producer (see `vss.streams.ports.Sink`).

    A producer that librdkafka declares dead, or that does not come back from a call, is replaced by a new one with the
    same transactional id, whose start ends whatever the old one left open. So a broker that was away never ends the
    worker.

    Args:
        settings: The cluster.
        transactional_id: Unique among live processes.
        logger: For what the client says.
        clock: For deadlines.
        patience_s: How long a call may go on when the broker does not answer.

    Raises:
        BrokerUnavailable: No broker answered within `patience_s`.
        ConfigError: The client refuses its configuration, or the broker this user.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        transactional_id: str,
        logger: Logger,
        clock: Clock | None = None,
        patience_s: float = 15.0,
    ) -> None:
        self._config = transactional_config(settings, transactional_id=transactional_id)
        self._logger = logger
        self._clock = clock if clock is not None else SystemClock()
        self._patience_s = patience_s
        self._producer: Producer | None = None
        self._closing = threading.Event()
        self._busy = threading.Lock()
        self._in_transaction = False
        self._ended_s = -_MARKERS_S
        self._calls = DaemonThread("kafka")
        self._open()

    def transact(self, messages: Sequence[Message], commits: Mapping[TopicPartition, Commit], group: object) -> None:
        """See `Sink.transact`."""
        if not _is_member(group):
            raise TransactionAborted("the group does not know this member")
        with self._busy:
            if self._closing.is_set():
                raise TransactionAborted("the sink is closed")
            if self._producer is None:
                self._open()
            producer = self._producer
            assert producer is not None  # noqa: S101 - _open sets it or raises
            try:
                self._transact(producer, messages, commits, group, Deadline.after(self._patience_s, self._clock))
            except KafkaException as error:
                raise self._give_up(producer, error) from error
            except TimeoutError:
                raise self._leave() from None

    def _transact(
        self,
        producer: Producer,
        messages: Sequence[Message],
        commits: Mapping[TopicPartition, Commit],
        group: object,
        deadline: Deadline,
    ) -> None:
        self._closing.wait(max(0.0, self._ended_s + _MARKERS_S - self._clock.monotonic()))
        producer.begin_transaction()
        self._in_transaction = True
        for message in messages:
            self._produce(producer, message, deadline)
        offsets = [KafkaPartition(p.topic, p.partition, c.offset, c.metadata) for p, c in sorted(commits.items())]
        # The one call that heeds no timeout: where the group's coordinator restarts meanwhile, it waits for ever
        # (librdkafka's issues 5456 and 5511).
        send = functools.partial(producer.send_offsets_to_transaction, offsets, group, _CALL_TIMEOUT_S)
        self._insist(lambda: self._calls.submit(send).result(_STUCK_AFTER_S), deadline)
        self._insist(lambda: producer.commit_transaction(_CALL_TIMEOUT_S), deadline)
        self._in_transaction = False
        self._ended_s = self._clock.monotonic()

    def close(self) -> None:
        """See `Sink.close`. May be called while another thread is in `transact`, which then raises soon.

        Soon is the client's to say: where it does not come back from a broker that is gone, it is left to itself. What
        it left open ends by `transaction.timeout.ms`.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        if not self._busy.acquire(timeout=_CLOSE_TIMEOUT_S):
            self._logger.warning("a transaction is left to the broker's timeout")
            return
        try:
            producer, self._producer = self._producer, None
            if producer is not None and self._in_transaction:
                self._calls.submit(producer.abort_transaction, _CLOSE_TIMEOUT_S).result(_CLOSE_TIMEOUT_S)
        except (KafkaException, TimeoutError) as error:
            self._logger.debug("the transaction is left to the broker's timeout", error=str(error))
        finally:
            self._calls.shutdown(wait=False)
            self._busy.release()

    def _open(self) -> None:
        producer: Producer = client(Producer, self._config, self._logger)
        deadline = Deadline.after(_START_TIMEOUT_S, self._clock)
        try:
            self._insist(lambda: producer.init_transactions(_CALL_TIMEOUT_S), deadline)
        except KafkaException as error:
            address = self._config["bootstrap.servers"]
            raise translate(error, f"no Kafka broker at {address} lets us prepare transactions") from error
        self._producer = producer
        self._in_transaction = False

    def _produce(self, producer: Producer, message: Message, deadline: Deadline) -> None:
        while True:
            try:
                producer.produce(message.topic, message.value, message.key, headers=list(message.headers))
            except BufferError:
                # The client's queue is full: let it send.
                producer.poll(0.1)
                if deadline.passed() or self._closing.is_set():
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None
            else:
                return

    def _insist(self, call: Callable[[], object], deadline: Deadline) -> None:
        """Repeats a call while librdkafka says that repeating it is safe and the deadline has not passed."""
        while True:
            try:
                call()
            except KafkaException as error:
                if not error.args[0].retriable() or deadline.passed() or self._closing.is_set():
                    raise
            else:
                return

    def _leave(self) -> Exception:
        """Leaves a client that does not come back, and its thread, to themselves; the next one's start fences it."""
        self._logger.warning("the Kafka client does not come back; starting a new producer")
        self._producer = None
        self._calls.shutdown(wait=False)
        self._calls = DaemonThread("kafka")
        return TransactionAborted(f"the Kafka client has not come back for {_STUCK_AFTER_S:g} s")

    def _give_up(self, producer: Producer, error: KafkaException) -> Exception:
        """Ends the failed transaction and says what became of it.

        What a failed commit left behind may be decided only by the broker: the caller asks it for the committed
        offsets, and so never needs to know here.
        """
        kafka_error: KafkaError = error.args[0]
        translated = translate(error, "transaction")
        if kafka_error.fatal() or self._closing.is_set():
            self._producer = None if kafka_error.fatal() else producer  # `close` aborts
        else:
            try:
                deadline = Deadline.after(self._patience_s, self._clock)
                self._insist(lambda: producer.abort_transaction(_CALL_TIMEOUT_S), deadline)
                self._in_transaction = False
            except KafkaException as abort_error:
                self._logger.warning(
                    "the transaction could not be aborted; starting a new producer", error=str(abort_error)
                )
                self._producer = None
        if isinstance(translated, ConfigError | BrokerUnavailable):
            return translated
        return TransactionAborted(str(translated))


def _is_member(group: object) -> bool:
    """Whether group metadata names a member.

    Without one (before joining, or after the broker forgot us) a broker takes the offsets of anybody, for the sake of
    consumers that assign their partitions by hand. The layout is librdkafka's: `CGMDv2:`, the generation as an integer
    of four bytes, and the names.
    """
    magic = b"CGMDv2:"
    if not isinstance(group, bytes) or not group.startswith(magic):
        return True
    return int.from_bytes(group[len(magic) : len(magic) + 4], "little", signed=True) >= 0
