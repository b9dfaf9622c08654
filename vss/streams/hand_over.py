"""How soon a cluster lets somebody take over from a worker that died, and whether it lets us join at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from vss.config import KafkaSettings
from vss.errors import ConfigError
from vss.logs import Logger, get_logger
from vss.streams.kafka_config import admin_config, client, translate

PROMPT_MS = 10_000
"""A hand-over within this is prompt."""

_TIMEOUT_S = 8.0
_PROTOCOLS = "group.coordinator.rebalance.protocols"
_CONSUMER_TIMEOUT = "group.consumer.session.timeout.ms"
_CONSUMER_LOWEST = "group.consumer.min.session.timeout.ms"
_GROUP_TIMEOUT = "consumer.session.timeout.ms"
_CLASSIC_LOWEST = "group.min.session.timeout.ms"
_CLASSIC_HIGHEST = "group.max.session.timeout.ms"
_TRANSACTION_HIGHEST = "transaction.max.timeout.ms"


@dataclass(frozen=True, slots=True)
class HandOver:
    """What a cluster allows a consumer group.

    Attributes:
        session_timeout_ms: How long a dead worker's partitions are orphaned; None when the cluster does not say.
        slow: Why it takes longer than `PROMPT_MS`; empty when it does not.
        fix: What makes it prompt.
    """

    session_timeout_ms: int | None
    slow: str = ""
    fix: str = ""


def read_hand_over(settings: KafkaSettings, group: str, *, logger: Logger | None = None) -> HandOver:
    """Asks a cluster about a consumer group.

    Raises:
        BrokerUnavailable: No broker answers.
        ConfigError: The cluster refuses what our settings ask of it, or lets this user not look.
    """
    admin: AdminClient = client(AdminClient, admin_config(settings), logger or get_logger("doctor"))
    try:
        brokers = admin.list_topics(timeout=_TIMEOUT_S).brokers
        broker = _described(admin, ConfigResource(ResourceType.BROKER, str(min(brokers))))
    except KafkaException as error:
        raise translate(error, "reading the broker's settings") from error
    try:
        of_group = _described(admin, ConfigResource(ResourceType.GROUP, group))
    except KafkaException:
        of_group = {}  # brokers before 4.0 know no settings of groups
    return judge_hand_over(settings, group, broker=broker, of_group=of_group)


def judge_hand_over(
    settings: KafkaSettings, group: str, *, broker: Mapping[str, str], of_group: Mapping[str, str]
) -> HandOver:
    """What those settings mean for us.

    Args:
        settings: Ours.
        group: The consumer group.
        broker: A broker's settings.
        of_group: The group's own.

    Raises:
        ConfigError: The cluster will refuse us.
    """
    highest = _number(broker, _TRANSACTION_HIGHEST)
    if highest is not None and settings.transaction_timeout_ms > highest:
        raise ConfigError(
            f"kafka.transaction_timeout_ms is {settings.transaction_timeout_ms}, the brokers allow {highest}",
            fix=f"lower it in vss.toml, or raise {_TRANSACTION_HIGHEST} on the brokers",
        )
    if settings.group_protocol == "classic":
        return _judge_classic(settings, broker)
    protocols = broker.get(_PROTOCOLS)
    if _CONSUMER_TIMEOUT not in broker or (protocols is not None and "consumer" not in protocols.split(",")):
        raise ConfigError(
            "this cluster does not speak the group protocol `consumer` (KIP-848)",
            fix='set kafka.group_protocol = "classic" in vss.toml, or move to Kafka 4',
        )
    timeout_ms = _number(of_group, _GROUP_TIMEOUT) or _number(broker, _CONSUMER_TIMEOUT)
    if timeout_ms is None or timeout_ms <= PROMPT_MS:
        return HandOver(timeout_ms)
    lowest = _number(broker, _CONSUMER_LOWEST)
    allow = f"set {_CONSUMER_LOWEST}=6000 on the brokers, then " if lowest is None or lowest > PROMPT_MS else ""
    return HandOver(
        timeout_ms,
        slow=f"a worker that is killed keeps its partitions for {timeout_ms / 1000:.0f} s",
        fix=f"{allow}kafka-configs.sh --alter --entity-type groups --entity-name {group} "
        f"--add-config {_GROUP_TIMEOUT}=6000",
    )


def _judge_classic(settings: KafkaSettings, broker: Mapping[str, str]) -> HandOver:
    timeout_ms = settings.session_timeout_ms
    lowest, highest = _number(broker, _CLASSIC_LOWEST), _number(broker, _CLASSIC_HIGHEST)
    if (lowest is not None and timeout_ms < lowest) or (highest is not None and timeout_ms > highest):
        raise ConfigError(
            f"kafka.session_timeout_ms is {timeout_ms}, the brokers allow {lowest} to {highest}",
            fix="set it to what they allow in vss.toml",
        )
    if timeout_ms <= PROMPT_MS:
        return HandOver(timeout_ms)
    return HandOver(
        timeout_ms,
        slow=f"a worker that is killed keeps its partitions for {timeout_ms / 1000:.0f} s",
        fix=f"set kafka.session_timeout_ms = {max(6000, lowest or 0)} in vss.toml",
    )


def _described(admin: AdminClient, resource: ConfigResource) -> dict[str, str]:
    (future,) = admin.describe_configs([resource], request_timeout=_TIMEOUT_S).values()
    return {entry.name: entry.value for entry in future.result().values() if entry.value is not None}


def _number(settings: Mapping[str, str], name: str) -> int | None:
    value = settings.get(name, "")
    return int(value) if value.isdecimal() else None
