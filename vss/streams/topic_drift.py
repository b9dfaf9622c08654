"""Where a topic on a cluster is less than the catalogue asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vss.schemas.topics import Topic

RETENTION = "retention.ms"
MESSAGE_BYTES = "max.message.bytes"
CLEANUP = "cleanup.policy"


@dataclass(frozen=True, slots=True)
class ExistingTopic:
    """A topic as a cluster has it.

    Attributes:
        settings: Kafka's names and values of its configuration.
    """

    partitions: int
    replication_factor: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Drift:
    """One way in which a topic is less than the catalogue asks for.

    Attributes:
        setting: `partitions` or Kafka's name of the setting.
        wanted: By the catalogue.
        found: On the cluster.
        harm: What follows from it.
        fix: What puts it right.
    """

    setting: str
    wanted: str
    found: str
    harm: str
    fix: str


def wanted_settings(topic: Topic) -> dict[str, str]:
    """Kafka's configuration of a new topic."""
    return {
        RETENTION: str(topic.retention_ms),
        MESSAGE_BYTES: str(topic.max_message_bytes),
        CLEANUP: topic.cleanup_policy,
    }


def drift_of(topic: Topic, existing: ExistingTopic) -> tuple[Drift, ...]:
    """Every way in which a topic is less than the catalogue asks for; more is the owner's choice."""
    found = []
    if existing.partitions < topic.partitions:
        found.append(
            Drift(
                "partitions",
                str(topic.partitions),
                str(existing.partitions),
                harm=f"at most {existing.partitions} workers of a group share the work",
                fix=f"vss topics create {topic.short} --partitions {topic.partitions}",
            )
        )
    for setting, wanted in wanted_settings(topic).items():
        value = existing.settings.get(setting)
        if value is not None and not _FITS[setting](value, wanted):
            found.append(
                Drift(setting, wanted, value, harm=_HARM[setting], fix=f"vss topics create {topic.short} --repair")
            )
    return tuple(found)


def _keeps_as_long(found: str, wanted: str) -> bool:
    # -1 keeps for ever.
    return int(found) == -1 or (int(wanted) != -1 and int(found) >= int(wanted))


def _takes_as_large(found: str, wanted: str) -> bool:
    return int(found) >= int(wanted)


def _same_policies(found: str, wanted: str) -> bool:
    return set(found.split(",")) == set(wanted.split(","))


_FITS: Mapping[str, Callable[[str, str], bool]] = {
    RETENTION: _keeps_as_long,
    MESSAGE_BYTES: _takes_as_large,
    CLEANUP: _same_policies,
}
_HARM: Mapping[str, str] = {
    RETENTION: "records go before slow readers have seen them",
    MESSAGE_BYTES: "the broker refuses records that the fleet may write",
    CLEANUP: "records are kept by another rule than readers count on",
}
