"""Makes the topics of the catalogue and compares those that exist with it.

What exists is never made smaller, and nothing of it is changed unless asked: more partitions, a longer retention or
larger messages than the catalogue asks for are the owner's choice; less is drift, reported with its fix.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from vss.clock import Clock, Deadline, SystemClock
from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ConfigError
from vss.logs import Logger, get_logger
from vss.schemas.topics import CATALOGUE, Topic
from vss.streams.kafka_config import admin_config, client, translate
from vss.streams.topic_drift import Drift, ExistingTopic, drift_of, wanted_settings

_POLL_S = 0.05
# The broker answers, so waiting is worth it: a busy cluster may take this long to open many partitions.
_LEADERS_PATIENCE_S = 30.0
_NEVER = threading.Event()


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic of the catalogue and what the cluster has of it.

    Attributes:
        topic: What it should be.
        name: On the cluster.
        existing: What it is; None when it does not exist.
        drift: Where it is less than the catalogue asks for.
        change: What this call did: `created`, `grown`, `repaired` or nothing.
    """

    topic: Topic
    name: str
    existing: ExistingTopic | None
    drift: tuple[Drift, ...] = ()
    change: str = ""


class TopicAdmin:
    """Looks at topics and makes them.

    Args:
        settings: The cluster, the prefix and the replication factor.
        logger: For what the client says.
        clock: For deadlines.
        patience_s: How long a call may go on when no broker answers.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        logger: Logger | None = None,
        clock: Clock | None = None,
        patience_s: float = 8.0,
    ) -> None:
        self._settings = settings
        self._clock = clock if clock is not None else SystemClock()
        self._patience_s = patience_s
        self._client: AdminClient = client(AdminClient, admin_config(settings), logger or get_logger("topics"))

    def __enter__(self) -> TopicAdmin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Lets librdkafka's threads go with the client.
        del self._client

    def brokers(self) -> str:
        """How many brokers there are, in words.

        Raises:
            BrokerUnavailable: None answers.
        """
        metadata = self._call(
            lambda: self._client.list_topics(timeout=self._patience_s), f"asking {self._settings.bootstrap_servers}"
        )
        return f"{len(metadata.brokers)} broker{'s' if len(metadata.brokers) != 1 else ''}"

    def describe(self, topics: Sequence[Topic] = CATALOGUE) -> list[TopicState]:
        """Each topic as it is.

        Raises:
            BrokerUnavailable: No broker answers.
            ConfigError: This user may not look at the topics.
        """
        existing = self._existing([topic.name(self._settings.topic_prefix) for topic in topics])
        return [self._state(topic, existing) for topic in topics]

    def create(
        self, topics: Sequence[Topic] = CATALOGUE, *, partitions: int | None = None, repair: bool = False
    ) -> list[TopicState]:
        """Makes what is missing, and returns once every partition has a leader. Repeating it changes nothing.

        Args:
            topics: Which.
            partitions: For these topics; those that have fewer are grown. By default the catalogue's number, and
                nothing that exists is grown: a key then moves to another partition, and the order of its records
                holds only from there on.
            repair: Whether to set retention, message size and cleanup policy of existing topics that drifted.

        Raises:
            BrokerUnavailable: No broker answers.
            ConfigError: A topic has more than `partitions`, or this user may not make topics.
        """
        before = {state.name: state for state in self.describe(topics)}
        self._refuse_to_shrink(before, partitions)
        missing = [state for state in before.values() if state.existing is None]
        grown = [s for s in before.values() if s.existing is not None and s.existing.partitions < (partitions or 0)]
        broken = [s for s in before.values() if repair and any(d.setting != "partitions" for d in s.drift)]
        self._make(missing, partitions)
        self._grow(grown, partitions or 0)
        self._repair(broken)
        counts = {s.name: partitions or s.topic.partitions for s in missing} | {s.name: partitions or 0 for s in grown}
        self._wait_for_leaders(counts)
        changes = {s.name: "repaired" for s in broken} | {s.name: "grown" for s in grown}
        changes |= {s.name: "created" for s in missing}
        return [
            TopicState(s.topic, s.name, s.existing, s.drift, changes.get(s.name, "")) for s in self.describe(topics)
        ]

    def _state(self, topic: Topic, existing: Mapping[str, ExistingTopic]) -> TopicState:
        name = topic.name(self._settings.topic_prefix)
        found = existing.get(name)
        return TopicState(topic, name, found, drift_of(topic, found) if found is not None else ())

    def _existing(self, names: Sequence[str]) -> dict[str, ExistingTopic]:
        metadata = self._call(
            lambda: self._client.list_topics(timeout=self._patience_s),
            f"looking at the topics of {self._settings.bootstrap_servers}",
        )
        there = {name: metadata.topics[name] for name in names if name in metadata.topics}
        for name, found in there.items():
            if found.error is not None:
                raise translate(found.error, f"looking at {name}")
        configs = self._configs(list(there))
        return {
            name: ExistingTopic(
                partitions=len(found.partitions),
                replication_factor=max((len(p.replicas) for p in found.partitions.values()), default=0),
                settings=configs[name],
            )
            for name, found in there.items()
        }

    def _configs(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        futures = self._client.describe_configs(resources, request_timeout=self._patience_s)
        return {
            resource.name: {
                entry.name: entry.value
                for entry in self._call(future.result, f"reading the settings of {resource.name}").values()
            }
            for resource, future in futures.items()
        }

    def _refuse_to_shrink(self, states: Mapping[str, TopicState], partitions: int | None) -> None:
        for state in states.values():
            if partitions is not None and state.existing is not None and state.existing.partitions > partitions:
                raise ConfigError(
                    f"{state.name} has {state.existing.partitions} partitions; Kafka cannot make them {partitions}",
                    fix=f"ask for {state.existing.partitions} or more, or delete the topic first and lose its records",
                )

    def _make(self, states: Sequence[TopicState], partitions: int | None) -> None:
        if not states:
            return
        new = [
            NewTopic(
                state.name,
                num_partitions=partitions or state.topic.partitions,
                replication_factor=self._settings.replication_factor,
                config=wanted_settings(state.topic),
            )
            for state in states
        ]
        # Somebody else may make it at the same moment; then it is there, which is what was asked.
        self._wait(self._client.create_topics(new), "creating", allow=KafkaError.TOPIC_ALREADY_EXISTS)

    def _grow(self, states: Sequence[TopicState], partitions: int) -> None:
        if states:
            grown = [NewPartitions(state.name, partitions) for state in states]
            self._wait(self._client.create_partitions(grown), "adding partitions to")

    def _repair(self, states: Sequence[TopicState]) -> None:
        if not states:
            return
        resources = [
            ConfigResource(
                ResourceType.TOPIC,
                state.name,
                incremental_configs=[
                    ConfigEntry(d.setting, d.wanted, incremental_operation=AlterConfigOpType.SET)
                    for d in state.drift
                    if d.setting != "partitions"
                ],
            )
            for state in states
        ]
        futures = self._client.incremental_alter_configs(resources)
        self._wait({resource.name: future for resource, future in futures.items()}, "changing the settings of")

    def _wait(self, futures: Mapping[str, Future[Any]], doing: str, *, allow: int | None = None) -> None:
        for name, future in futures.items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != allow:
                    raise _admin_error(error, f"{doing} {name}") from error

    def _wait_for_leaders(self, partitions: Mapping[str, int]) -> None:
        """The controller has made a topic before its leaders serve it: clients would be sent away for a moment."""
        deadline = Deadline.after(_LEADERS_PATIENCE_S, self._clock)
        waiting = [KafkaPartition(name, i) for name, count in partitions.items() for i in range(count)]
        while waiting := self._not_served(waiting):
            if deadline.passed():
                names = ", ".join(sorted({partition.topic for partition in waiting}))
                raise BrokerUnavailable(
                    f"partitions of {names} have no leader after {_LEADERS_PATIENCE_S:.0f} s",
                    fix="look at the brokers' logs",
                )
            self._clock.wait(_NEVER, _POLL_S)

    def _not_served(self, partitions: Sequence[KafkaPartition]) -> list[KafkaPartition]:
        if not partitions:
            return []
        # First, for the client remembers that it found no leader until it is made to look again.
        self._call(lambda: self._client.list_topics(timeout=self._patience_s), "waiting for the topics")
        earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call] # the package's own gap
        futures = self._client.list_offsets(dict.fromkeys(partitions, earliest), request_timeout=self._patience_s)
        # What keeps a partition from answering is passing, or the deadline's to end.
        return [partition for partition, future in futures.items() if future.exception() is not None]

    @staticmethod
    def _call(call: Callable[[], Any], doing: str) -> Any:
        try:
            return call()
        except KafkaException as error:
            raise _admin_error(error, doing) from error


def create_topics(
    settings: KafkaSettings, topics: Sequence[Topic] = CATALOGUE, *, partitions: int | None = None
) -> list[TopicState]:
    """Makes the catalogue's topics on a cluster; see `TopicAdmin.create`."""
    with TopicAdmin(settings) as admin:
        return admin.create(topics, partitions=partitions)


def _admin_error(error: KafkaException, doing: str) -> Exception:
    code = error.args[0].code()
    if code == KafkaError.INVALID_REPLICATION_FACTOR:
        return ConfigError(
            f"{doing}: {error.args[0].str()}",
            fix="set kafka.replication_factor in vss.toml to at most the number of brokers",
        )
    if code == KafkaError.POLICY_VIOLATION or code == KafkaError.INVALID_CONFIG:
        return ConfigError(f"{doing}: {error.args[0].str()}", fix="make the topic as `vss topics list --json` says")
    return translate(error, doing)
