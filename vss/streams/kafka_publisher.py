"""The `Publisher` that writes to a real cluster."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ConfigError, RecordTooLarge, StreamError
from vss.logs import Logger
from vss.schemas.envelope import Message
from vss.streams.kafka_config import client, publisher_config, translate

OnDelivery = Callable[[Exception | None], None]

_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.RECORD_LIST_TOO_LARGE}
# The message left no sign of having been written: its time was over, or it was given up at the end.
_NOT_IN_TIME = {KafkaError._MSG_TIMED_OUT, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}


class KafkaPublisher:
    """An idempotent producer with a bounded queue (see `vss.streams.ports.Publisher`).

    Args:
        settings: The cluster.
        logger: For what the client says.
        patient: A queued message waits for the broker without end, instead of failing after
            `message.timeout.ms` (30 s).

    Raises:
        ConfigError: The client refuses its configuration.
    """

    def __init__(self, settings: KafkaSettings, *, logger: Logger, patient: bool = False) -> None:
        self._address = settings.bootstrap_servers
        config = publisher_config(settings)
        if patient:
            config["message.timeout.ms"] = 0
        self._producer: Producer = client(Producer, config, logger)
        self._closed = False

    def require_topic(self, topic: str, *, timeout_s: float = 8.0) -> None:
        """Makes sure that there is something to write to.

        Raises:
            BrokerUnavailable: No broker answers in time.
            ConfigError: The cluster has no such topic, or does not show it to this user.
        """
        try:
            # All topics, for asking after one by name makes it where the cluster creates topics by itself.
            topics = self._producer.list_topics(timeout=timeout_s).topics
        except KafkaException as error:
            raise translate(error, f"no Kafka broker at {self._address}") from error
        if topic not in topics:
            raise ConfigError(
                f"there is no topic {topic} at {self._address}", fix="create the topics: vss topics create"
            )

    def publish(self, message: Message, on_delivery: OnDelivery | None = None) -> bool:
        """See `Publisher.publish`."""

        def delivered(error: KafkaError | None, _message: KafkaMessage | None) -> None:
            if on_delivery is not None:
                on_delivery(_failure(error, message) if error is not None else None)

        try:
            self._producer.produce(
                message.topic, message.value, message.key, headers=list(message.headers), on_delivery=delivered
            )
        except BufferError:
            return False
        except KafkaException as error:
            kafka_error: KafkaError = error.args[0]
            if kafka_error.fatal() or kafka_error.code() == KafkaError._FATAL:
                raise translate(error, f"writing to {message.topic}") from error
            delivered(kafka_error, None)  # this message can never be written
        return True

    def poll(self, timeout_s: float = 0.0) -> None:
        """See `Publisher.poll`."""
        self._producer.poll(timeout_s)

    def flush(self, timeout_s: float) -> int:
        """See `Publisher.flush`."""
        return self._producer.flush(timeout_s)

    def close(self) -> None:
        """See `Publisher.close`. What is not written by then is given up, and its `on_delivery` told so."""
        if self._closed:
            return
        self._closed = True
        if self._producer.flush(2.0) > 0:
            self._producer.purge(in_queue=True, in_flight=True)
            self._producer.flush(0.5)


def _failure(error: KafkaError, message: Message) -> Exception:
    doing = f"writing to {message.topic}"
    if error.code() in _TOO_LARGE:
        size_bytes = len(message.value or b"")
        return RecordTooLarge(f"{doing}: {size_bytes} bytes are more than the topic takes")
    if error.code() in _NOT_IN_TIME:
        return BrokerUnavailable(f"{doing}: {error.str()}")
    translated: StreamError | ConfigError = translate(error, doing)
    return translated
