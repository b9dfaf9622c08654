"""librdkafka's properties: ours, the user's, and those a user must not touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ConfigError, Fenced, StreamError, TransactionAborted
from vss.logs import get_logger
from vss.streams.kafka_config import (
    client,
    consumer_config,
    producer_config,
    publisher_config,
    transactional_config,
    translate,
)

LOGGER = get_logger("test")
SECURE = {
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": "me",
    "sasl.password": "hunter2",
    "ssl.ca.location": "/etc/ca.pem",
}


def settings(**properties: Any) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers="broker:9092", properties=properties)


def every_config(kafka: KafkaSettings) -> dict[str, dict[str, Any]]:
    return {
        "consumer": consumer_config(kafka, group="g"),
        "producer": producer_config(kafka),
        "transactional": transactional_config(kafka, transactional_id="t"),
        "publisher": publisher_config(kafka),
    }


def test_what_the_guarantees_hang_on_is_set() -> None:
    configs = every_config(settings())
    consumer = configs["consumer"]
    assert consumer["enable.auto.commit"] is False
    assert consumer["enable.auto.offset.store"] is False
    assert consumer["isolation.level"] == "read_committed"
    for name in ("producer", "transactional", "publisher"):
        assert configs[name]["enable.idempotence"] is True
        assert configs[name]["partitioner"] == "murmur2_random"
    assert configs["transactional"]["transactional.id"] == "t"
    assert configs["transactional"]["transaction.timeout.ms"] == KafkaSettings().transaction_timeout_ms


def test_tls_and_sasl_reach_every_client() -> None:
    for config in every_config(settings(**SECURE)).values():
        assert config.items() >= SECURE.items()


def test_a_users_tuning_wins_over_ours() -> None:
    configs = every_config(settings(**{"linger.ms": 77, "fetch.queue.backoff.ms": 99, "retry.backoff.ms": 55}))
    assert configs["publisher"]["linger.ms"] == 77
    assert configs["transactional"]["retry.backoff.ms"] == 55
    assert configs["consumer"]["fetch.queue.backoff.ms"] == 99


@pytest.mark.parametrize(
    "name",
    [
        "enable.auto.commit", "enable.auto.offset.store", "isolation.level", "enable.idempotence", "transactional.id",
        "partitioner", "group.id", "group.protocol", "auto.offset.reset", "bootstrap.servers",
        "partition.assignment.strategy", "transaction.timeout.ms",
    ],
)  # fmt: skip
def test_a_property_that_would_break_a_promise_is_refused_with_what_to_do_instead(name: str) -> None:
    kafka = settings(**{name: "x"})
    makers: list[Callable[[], object]] = [
        lambda: consumer_config(kafka, group="g"),
        lambda: transactional_config(kafka, transactional_id="t"),
        lambda: publisher_config(kafka),
    ]
    for make in makers:
        with pytest.raises(ConfigError, match=name.replace(".", r"\.")) as raised:
            make()
        assert raised.value.fix


@pytest.mark.parametrize(
    ("properties", "word"),
    [({"no.such.property": 1}, "no.such.property"), ({"socket.timeout.ms": "soon"}, "socket.timeout.ms")],
)
@pytest.mark.parametrize("make", [Consumer, Producer])
def test_a_property_that_the_client_refuses_is_named(make: Any, properties: dict[str, Any], word: str) -> None:
    kafka = settings(**properties, **{"sasl.password": "hunter2"})
    config = consumer_config(kafka, group="g") if make is Consumer else producer_config(kafka)
    with pytest.raises(ConfigError, match=word.replace(".", r"\.")) as raised:
        client(make, config, LOGGER)
    assert "hunter2" not in str(raised.value) + raised.value.fix


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_the_client_takes_our_properties(protocol: str) -> None:
    """No broker is asked: it is enough that librdkafka builds every client."""
    kafka = KafkaSettings.model_validate({"bootstrap_servers": "127.0.0.1:1", "group_protocol": protocol})
    consumer = client(Consumer, consumer_config(kafka, group="g"), LOGGER)
    consumer.close()
    for config in (transactional_config(kafka, transactional_id="t"), publisher_config(kafka)):
        client(Producer, config, LOGGER)


def test_a_dead_members_partitions_are_free_soon_with_the_classic_protocol() -> None:
    kafka = KafkaSettings(group_protocol="classic", session_timeout_ms=9000)
    config = consumer_config(kafka, group="g")
    assert config["session.timeout.ms"] == 9000
    assert config["heartbeat.interval.ms"] * 3 <= 9000
    assert config["partition.assignment.strategy"] == "cooperative-sticky"
    assert "session.timeout.ms" not in consumer_config(KafkaSettings(), group="g")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (KafkaError._ALL_BROKERS_DOWN, BrokerUnavailable),
        (KafkaError._TRANSPORT, BrokerUnavailable),
        (KafkaError._TIMED_OUT, BrokerUnavailable),
        (KafkaError._MSG_TIMED_OUT, BrokerUnavailable),
        (KafkaError.NOT_COORDINATOR, BrokerUnavailable),
        (KafkaError.UNSTABLE_OFFSET_COMMIT, BrokerUnavailable),
        (KafkaError.UNKNOWN_MEMBER_ID, TransactionAborted),
        (KafkaError.ILLEGAL_GENERATION, TransactionAborted),
        (KafkaError.STALE_MEMBER_EPOCH, TransactionAborted),
        (KafkaError.FENCED_MEMBER_EPOCH, TransactionAborted),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, ConfigError),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ConfigError),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, ConfigError),
        (KafkaError.MSG_SIZE_TOO_LARGE, ConfigError),
        (KafkaError.CORRUPT_MESSAGE if hasattr(KafkaError, "CORRUPT_MESSAGE") else 2, StreamError),
    ],
)
def test_an_error_of_the_client_is_one_of_ours(code: int, expected: type[Exception]) -> None:
    translated = translate(KafkaException(KafkaError(code)), "testing")
    assert type(translated) is expected
    assert str(translated).startswith("testing: ")
    if expected in (ConfigError, BrokerUnavailable):
        assert translated.fix


def test_a_fatal_error_means_that_only_a_new_client_helps() -> None:
    assert type(translate(KafkaError(KafkaError._FATAL, "x", True), "testing")) is Fenced
