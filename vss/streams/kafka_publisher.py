"""The `Publisher` that writes to a real cluster."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as KafkaMessage

from vss.config import KafkaSettings
from vss.logs import Logger
from vss.schemas.envelope import Message
from vss.streams.kafka_config import client, publisher_config, translate


class KafkaPublisher:
    """An idempotent producer with a bounded queue (see `vss.streams.ports.Publisher`)."""

    def __init__(self, settings: KafkaSettings, *, logger: Logger) -> None:
        self._producer: Producer = client(Producer, publisher_config(settings), logger)

    def publish(self, message: Message, on_delivery: Callable[[Exception | None], None] | None = None) -> bool:
        """See `Publisher.publish`."""

        def delivered(error: KafkaError | None, _message: KafkaMessage) -> None:
            if on_delivery is not None:
                on_delivery(translate(error, f"writing to {message.topic}") if error is not None else None)

        try:
            self._producer.produce(
                message.topic, message.value, message.key, headers=list(message.headers), on_delivery=delivered
            )
        except BufferError:
            return False
        return True

    def poll(self, timeout_s: float = 0.0) -> None:
        """See `Publisher.poll`."""
        self._producer.poll(timeout_s)

    def flush(self, timeout_s: float) -> int:
        """See `Publisher.flush`."""
        return self._producer.flush(timeout_s)

    def close(self) -> None:
        """See `Publisher.close`."""
        self._producer.flush(3.0)
