"""librdkafka properties of every client the fleet makes, in one place, and how its errors become ours."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ConfigError, Fenced, StreamError, TransactionAborted
from vss.logs import Logger

_UNREACHABLE = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._WAIT_COORD,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
}
# The group has moved on; the next poll says what became of our partitions.
_NOT_A_MEMBER = {
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.FENCED_MEMBER_EPOCH,
}
# What a user's own properties must not touch, and what to do instead: the guarantees hang on these.
_OURS = {
    "bootstrap.servers": "set kafka.bootstrap_servers",
    "group.protocol": "set kafka.group_protocol",
    "group.id": "set loop.group or --group",
    "auto.offset.reset": "set loop.start_at",
    "enable.auto.commit": "remove it: offsets are committed with the outcomes",
    "enable.auto.offset.store": "remove it: offsets are committed with the outcomes",
    "isolation.level": "remove it: what was aborted must stay unseen",
    "enable.idempotence": "remove it: without it records are doubled and reordered",
    "transactional.id": "remove it: each worker needs one of its own",
    "transaction.timeout.ms": "set kafka.transaction_timeout_ms",
    "partition.assignment.strategy": "remove it: partitions are handed over one by one",
    "partitioner": "remove it: a camera's frames belong into the partition that Java clients choose",
}


def consumer_config(settings: KafkaSettings, *, group: str) -> dict[str, Any]:
    """Properties of a group member that commits explicitly and reads only what was committed.

    Raises:
        ConfigError: A property of the user's would break a promise.
    """
    config: dict[str, Any] = {
        **_common(settings),
        "group.id": group,
        "group.protocol": settings.group_protocol,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # Where a group without commits starts is `KafkaSource`'s to say. This is for a commit that fell out of
        # retention while reading: what is left is read.
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        # A prefetch queue of the default 64 MiB is seconds of stale frames.
        "queued.max.messages.kbytes": 16 * 1024,
        # The default of 1 s stalls a fast reader each time that queue was full.
        "fetch.queue.backoff.ms": 10,
    }
    if settings.group_protocol == "classic":
        config["session.timeout.ms"] = settings.session_timeout_ms
        config["heartbeat.interval.ms"] = max(300, settings.session_timeout_ms // 6)
        config["partition.assignment.strategy"] = "cooperative-sticky"
    return config | settings.properties


def producer_config(settings: KafkaSettings) -> dict[str, Any]:
    """Properties of a producer that neither loses nor doubles nor reorders."""
    return {
        **_common(settings),
        "enable.idempotence": True,
        # The partition a Java client would choose.
        "partitioner": "murmur2_random",
        "message.max.bytes": 16 << 20,
        **settings.properties,
    }


def transactional_config(settings: KafkaSettings, *, transactional_id: str) -> dict[str, Any]:
    """Properties of a producer whose messages and offsets are one transaction."""
    return {
        **producer_config(settings),
        "transactional.id": transactional_id,
        "transaction.timeout.ms": settings.transaction_timeout_ms,
        # librdkafka waits so inside a transaction until the markers of the one before are written; the default of
        # 100 ms would be the price of each batch. Back to back, a transaction took 4.5 ms (p95 6.5) with these, and
        # with waits that grow up to 20 ms 6.8 (p95 29).
        "retry.backoff.ms": 1,
        "retry.backoff.max.ms": 2,
        **settings.properties,
    }


def publisher_config(settings: KafkaSettings) -> dict[str, Any]:
    """Properties of a camera's producer: bounded, and quick to say that the cluster is away."""
    return {
        **producer_config(settings),
        "linger.ms": 5,
        "queue.buffering.max.kbytes": 64 << 10,
        "message.timeout.ms": 30_000,
        # The default of 30 s hides that a topic is missing behind the message's own timeout.
        "topic.metadata.propagation.max.ms": 5000,
        **settings.properties,
    }


def admin_config(settings: KafkaSettings) -> dict[str, Any]:
    """Properties of a client that looks at topics and makes them."""
    return {**_common(settings), "socket.timeout.ms": 10_000, **settings.properties}


def reader_config(settings: KafkaSettings) -> dict[str, Any]:
    """Properties of a reader outside any group: it is told where to read and never commits."""
    return {
        **_common(settings),
        # librdkafka wants a name even of those who join nothing.
        "group.id": "vss-reader",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # What retention took away while we read is skipped.
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        # How long a fetch at the end waits, and so how late the word of it may be.
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 16 * 1024,
        "fetch.queue.backoff.ms": 10,
        **settings.properties,
        # The end of a partition may be a transaction's marker, which is no message: only this event tells of it.
        "enable.partition.eof": True,
    }


def _common(settings: KafkaSettings) -> dict[str, Any]:
    for name in settings.properties:
        if name in _OURS:
            raise ConfigError(f"kafka.properties must not set {name}", fix=_OURS[name])
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": "vss",
        # A broker that restarts is found again within a second, not after the default of 10.
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
    }


def client(make: Callable[..., Any], config: dict[str, Any], logger: Logger) -> Any:
    """Makes a librdkafka client that logs through our logger.

    Raises:
        ConfigError: librdkafka refuses a property; names it.
    """
    try:
        return make(config | {"error_cb": _error_callback(logger)}, logger=_LibrdkafkaLog(logger))
    except KafkaException as error:
        raise ConfigError(
            f"Kafka client refused its settings: {_text(error)}",
            fix="correct [kafka] and [kafka.properties] in vss.toml",
        ) from error


def translate(error: KafkaException | KafkaError, doing: str) -> StreamError | ConfigError:
    """Our error for one of librdkafka's."""
    kafka_error: KafkaError = error.args[0] if isinstance(error, KafkaException) else error
    text = f"{doing}: {kafka_error.str()}"
    if kafka_error.code() in _UNREACHABLE:
        return BrokerUnavailable(
            text, fix="start the broker (`vss up` for a local one) or name it with --bootstrap-servers"
        )
    if kafka_error.code() in _NOT_A_MEMBER:
        return TransactionAborted(text)
    if kafka_error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
        return ConfigError(text, fix="raise max.message.bytes of the topic that is written")
    if kafka_error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
        return ConfigError(text, fix="create the topics: vss topics create")
    if kafka_error.code() in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    ):
        return ConfigError(text, fix="grant this user the access that docs/configuration.md lists")
    if kafka_error.fatal():
        return Fenced(text)
    return StreamError(text)


def _text(error: KafkaException) -> str:
    detail = error.args[0]
    return detail.str() if isinstance(detail, KafkaError) else str(detail)


def _error_callback(logger: Logger) -> Callable[[KafkaError], None]:
    away = False

    def on_error(error: KafkaError) -> None:
        # librdkafka repeats itself for each broker and each attempt: say it once.
        nonlocal away
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not away:
            away = True
            logger.warning("no broker answers; trying again", error=error.str())
        elif error.code() not in _UNREACHABLE and error.code() != KafkaError._RESOLVE:
            logger.warning("kafka client error", error=error.str(), code=error.name())

    return on_error


class _LibrdkafkaLog(logging.Logger):
    """librdkafka's own log lines, at debug level: what matters of them reaches us as errors."""

    def __init__(self, logger: Logger) -> None:
        super().__init__("librdkafka")
        self._logger = logger

    def log(self, level: int, msg: object, *args: object, **_: Any) -> None:
        self._logger.debug("librdkafka", line=str(msg) % args if args else str(msg))
