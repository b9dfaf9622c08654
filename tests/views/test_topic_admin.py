from __future__ import annotations

import dataclasses
import json
import threading
import time
import uuid

import pytest
from click.testing import CliRunner, Result
from confluent_kafka.admin import AdminClient, NewTopic

from vss.cli.main import cli
from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ConfigError
from vss.schemas.topics import CATALOGUE, DETECTIONS, FRAMES, SHED
from vss.streams.topic_admin import TopicAdmin, create_topics
from vss.streams.topic_drift import ExistingTopic, drift_of, wanted_settings


@pytest.fixture
def bare(bootstrap_servers: str) -> KafkaSettings:
    """The session's broker, without topics."""
    return KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"{uuid.uuid4().hex}.")


def make(kafka: KafkaSettings, name: str, *, partitions: int, **config: str) -> None:
    settings = {name.replace("_", "."): value for name, value in config.items()}
    topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=settings)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for future in admin.create_topics([topic]).values():
        future.result()


def test_creating_makes_the_catalogue_as_it_is_written(bare: KafkaSettings) -> None:
    states = create_topics(bare)
    assert [state.name for state in states] == [topic.name(bare.topic_prefix) for topic in CATALOGUE]
    for state in states:
        assert state.change == "created"
        assert state.drift == ()
        assert state.existing is not None
        assert state.existing.partitions == state.topic.partitions
        assert state.existing.settings.items() >= wanted_settings(state.topic).items()


def test_creating_again_changes_nothing(bare: KafkaSettings) -> None:
    first = create_topics(bare)
    again = create_topics(bare)
    assert [state.change for state in again] == [""] * len(CATALOGUE)
    assert [state.existing for state in again] == [state.existing for state in first]


def test_two_who_create_at_once_both_succeed(bare: KafkaSettings) -> None:
    failures: list[Exception] = []

    def create() -> None:
        try:
            create_topics(bare)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_topic_is_grown_but_never_shrunk(bare: KafkaSettings) -> None:
    create_topics(bare, [FRAMES], partitions=3)
    (grown,) = create_topics(bare, [FRAMES], partitions=7)
    assert (grown.change, grown.existing and grown.existing.partitions) == ("grown", 7)
    with pytest.raises(ConfigError, match="7 partitions") as refused:
        create_topics(bare, [FRAMES], partitions=3)
    assert refused.value.fix
    (kept,) = create_topics(bare, [FRAMES])
    assert kept.existing is not None
    assert kept.existing.partitions == 7


def test_a_refused_shrink_leaves_every_topic_as_it_was(bare: KafkaSettings) -> None:
    create_topics(bare, [FRAMES], partitions=4)
    with pytest.raises(ConfigError):
        create_topics(bare, [DETECTIONS, FRAMES], partitions=2)
    with TopicAdmin(bare) as admin:
        (state,) = admin.describe([DETECTIONS])
    assert state.existing is None


def test_drift_is_reported_with_its_fix_and_the_fix_puts_it_right(bare: KafkaSettings) -> None:
    name = FRAMES.name(bare.topic_prefix)
    make(bare, name, partitions=1, retention_ms="1000", max_message_bytes="1000", cleanup_policy="compact")
    with TopicAdmin(bare) as admin:
        (state,) = admin.create([FRAMES])
        assert {drift.setting for drift in state.drift} == {
            "partitions",
            "retention.ms",
            "max.message.bytes",
            "cleanup.policy",
        }
        assert state.existing is not None
        assert state.existing.settings["retention.ms"] == "1000"
        for fix in {drift.fix for drift in state.drift}:
            assert run(bare, *fix.split()[1:]).exit_code == 0
        (repaired,) = admin.describe([FRAMES])
    assert repaired.drift == ()


@pytest.mark.parametrize("cleanup", ["delete", "compact"])
def test_more_than_the_catalogue_asks_for_is_no_drift(cleanup: str) -> None:
    topic = dataclasses.replace(SHED, cleanup_policy=cleanup)
    larger = {"retention.ms": "-1", "max.message.bytes": "99000000", "cleanup.policy": cleanup}
    assert drift_of(topic, ExistingTopic(99, 3, larger)) == ()


def test_without_a_broker_there_is_one_clear_error_within_ten_seconds() -> None:
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1") as error:
        create_topics(KafkaSettings(bootstrap_servers="127.0.0.1:1"))
    assert time.monotonic() - started < 10
    assert "vss up" in error.value.fix


def test_more_replicas_than_brokers_names_the_setting(bare: KafkaSettings) -> None:
    with pytest.raises(ConfigError) as error:
        create_topics(bare.model_copy(update={"replication_factor": 3}))
    assert "kafka.replication_factor" in error.value.fix


def run(kafka: KafkaSettings, *arguments: str) -> Result:
    environ = {"VSS_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "VSS_KAFKA__TOPIC_PREFIX": kafka.topic_prefix}
    return CliRunner().invoke(cli, arguments, env=environ)


def test_the_commands_tell_missing_from_there(bare: KafkaSettings) -> None:
    missing = run(bare, "topics", "describe", "--json")
    assert missing.exit_code == 1
    assert {topic["state"] for topic in json.loads(missing.stdout)} == {"missing"}

    created = run(bare, "topics", "create", "--partitions", "5", "--json")
    assert created.exit_code == 0
    counts = {topic["topic"]: topic["partitions"] for topic in json.loads(created.stdout)}
    whole = {"models", "model-verdicts", "model-events", "shed", "dlq"}
    assert counts == {topic.short: 1 if topic.short in whole else 5 for topic in CATALOGUE}

    assert run(bare, "topics", "describe").exit_code == 0
    listed = run(bare, "topics", "list")
    assert listed.exit_code == 0
    assert "missing" not in listed.output


def test_a_topic_the_catalogue_does_not_know_is_refused(bare: KafkaSettings) -> None:
    result = run(bare, "topics", "create", "fremes")
    assert isinstance(result.exception, ConfigError)
    assert "frames" in result.exception.fix
