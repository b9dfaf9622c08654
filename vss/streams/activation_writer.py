"""Writes activations, verdicts and model events, and knows that they were written."""

from __future__ import annotations

import threading
from types import TracebackType

from vss.clock import Clock, Deadline, SystemClock
from vss.codecs.events import encode_event
from vss.codecs.headers import event_headers
from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable
from vss.logs import Logger, get_logger
from vss.schemas.envelope import Message
from vss.schemas.models import ModelActivation, ModelEvent, ModelVerdict
from vss.schemas.topics import MODEL_EVENTS, MODEL_VERDICTS, MODELS, Topic
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.ports import Publisher

_DELIVERY_S = 10.0
_POLL_S = 0.1


class ActivationWriter:
    """Writes single records and waits until all replicas in step have them. Thread-safe.

    Connects with the first record: most workers never write one.

    Args:
        settings: The cluster and the prefix.
        patient: What was not written in time is not given up: it is written when the broker is there again.
        logger: For what the client says.
        clock: For deadlines.
        publisher: What writes; a Kafka producer by default.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        patient: bool = False,
        logger: Logger | None = None,
        clock: Clock | None = None,
        publisher: Publisher | None = None,
    ) -> None:
        self._settings = settings
        self._patient = patient
        self._logger = logger if logger is not None else get_logger("activations")
        self._clock = clock if clock is not None else SystemClock()
        self._publisher = publisher
        self._lock = threading.Lock()

    def __enter__(self) -> ActivationWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def activation(self, activation: ModelActivation, *, timeout_s: float = _DELIVERY_S) -> None:
        """Writes an operator's activation.

        Raises:
            BrokerUnavailable: It was not written in time.
            ConfigError: There is no such topic, or this user may not write to it.
        """
        self._write(MODELS, activation.name, activation, f"/models/{activation.name}", timeout_s)

    def verdict(self, verdict: ModelVerdict, *, timeout_s: float = _DELIVERY_S) -> None:
        """Writes a worker's verdict; raises as `activation`."""
        self._write(MODEL_VERDICTS, verdict.activation_id, verdict, f"/workers/{verdict.worker}", timeout_s)

    def event(self, event: ModelEvent, *, timeout_s: float = _DELIVERY_S) -> None:
        """Writes what happened on a worker; raises as `activation`."""
        self._write(MODEL_EVENTS, event.name, event, f"/workers/{event.worker}", timeout_s)

    def close(self) -> None:
        """Disconnects; what waits for the broker is given up. Idempotent."""
        with self._lock:
            if self._publisher is not None:
                self._publisher.close()

    def _write(
        self, topic: Topic, key: str, value: ModelActivation | ModelVerdict | ModelEvent, source: str, timeout_s: float
    ) -> None:
        headers = event_headers(
            id=value.id, type=topic.ce_type or "", source=source, time=value.timestamp, traceparent=None
        )
        name = topic.name(self._settings.topic_prefix)
        publisher = self._connected()
        answers: list[Exception | None] = []
        deadline = Deadline.after(timeout_s, self._clock)
        if not publisher.publish(Message(name, key.encode(), encode_event(value), headers), answers.append):
            raise BrokerUnavailable(f"writing to {name}: too much waits to be written")
        while not answers and not deadline.passed():
            publisher.poll(min(_POLL_S, deadline.remaining_s()))
        if not answers:
            what = "it will be when the broker is there" if self._patient else "it may have been written all the same"
            raise BrokerUnavailable(
                f"writing to {name}: no broker confirmed it within {timeout_s:.0f} s; {what}",
                fix="see whether the broker runs: vss doctor",
            )
        if answers[0] is not None:
            raise answers[0]

    def _connected(self) -> Publisher:
        with self._lock:
            if self._publisher is None:
                self._publisher = KafkaPublisher(self._settings, logger=self._logger, patient=self._patient)
            return self._publisher


def publish_activation(settings: KafkaSettings, activation: ModelActivation) -> None:
    """Writes one activation; see `ActivationWriter.activation`."""
    with ActivationWriter(settings) as writer:
        writer.activation(activation)
