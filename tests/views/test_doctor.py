from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from tests.views.makers import CommittedWriter
from vss.cli.main import cli
from vss.config import KafkaSettings, Settings
from vss.errors import BrokerUnavailable, ConfigError
from vss.local.fleet import LocalFleet
from vss.schemas.envelope import Message, TopicPartition
from vss.schemas.topics import CATALOGUE, DETECTIONS, FRAMES
from vss.streams.hand_over import judge_hand_over, read_hand_over
from vss.streams.log_reader import LogReader
from vss.streams.open_transactions import offsets_partition, overdue_transactions
from vss.streams.topic_admin import create_topics
from vss.testing.clock import ManualClock
from vss.workers.checks.doctor import Check, Doubt, Finding, State, examine
from vss.workers.checks.doctor_checks import fleet_checks

KAFKA_4 = {
    "group.coordinator.rebalance.protocols": "classic,consumer,streams",
    "group.consumer.session.timeout.ms": "45000",
    "group.consumer.min.session.timeout.ms": "45000",
    "group.min.session.timeout.ms": "6000",
    "group.max.session.timeout.ms": "1800000",
    "transaction.max.timeout.ms": "900000",
}


def test_each_check_is_run_and_told_of_whatever_the_others_raise() -> None:
    def fails() -> str:
        raise ConfigError("no", fix="do this")

    def doubts() -> str:
        raise Doubt("slow", fix="do that")

    def breaks() -> str:
        raise ZeroDivisionError("0")

    checks = [
        Check("a", lambda: "fine"),
        Check("b", fails),
        Check("c", doubts),
        Check("d", breaks),
        Check("e", lambda: "unseen", needs="b"),
        Check("f", lambda: "unseen", needs="e"),
        Check("g", lambda: "seen", needs="c"),
    ]
    assert list(examine(checks))[:3] == [
        Finding("a", State.OK, "fine"),
        Finding("b", State.FAILED, "no", "do this"),
        Finding("c", State.WARNING, "slow", "do that"),
    ]
    assert [finding.state.value for finding in examine(checks)][3:] == ["failed", "skipped", "skipped", "ok"]


# How soon somebody takes over.


def test_kafkas_defaults_orphan_a_dead_workers_partitions_for_45_seconds() -> None:
    found = judge_hand_over(KafkaSettings(), "vss.detect", broker=KAFKA_4, of_group={})
    assert found.session_timeout_ms == 45_000
    assert "45 s" in found.slow
    # The broker has to allow it before the group may ask for it.
    assert found.fix.index("group.consumer.min.session.timeout.ms=6000") < found.fix.index(
        "consumer.session.timeout.ms=6000", 60
    )
    assert "--entity-name vss.detect" in found.fix


def test_a_groups_own_setting_counts_more_than_the_brokers() -> None:
    found = judge_hand_over(
        KafkaSettings(), "vss.detect", broker=KAFKA_4, of_group={"consumer.session.timeout.ms": "6000"}
    )
    assert (found.session_timeout_ms, found.slow) == (6000, "")


@pytest.mark.parametrize(
    ("settings", "broker", "named"),
    [
        ({}, {"group.coordinator.rebalance.protocols": "classic"}, "group_protocol"),
        ({"transaction_timeout_ms": 1_000_000}, {}, "transaction_timeout_ms"),
        ({"group_protocol": "classic", "session_timeout_ms": 3000}, {}, "session_timeout_ms"),
    ],
)
def test_what_the_cluster_will_refuse_is_a_failure(
    settings: Mapping[str, Any], broker: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError) as error:
        judge_hand_over(KafkaSettings(**settings), "vss.detect", broker=KAFKA_4 | broker, of_group={})
    assert named in f"{error.value} {error.value.fix}"


def test_an_old_cluster_without_the_new_protocol_is_a_failure_for_it_alone() -> None:
    old = {name: value for name, value in KAFKA_4.items() if "consumer" not in name and "protocols" not in name}
    with pytest.raises(ConfigError, match="KIP-848"):
        judge_hand_over(KafkaSettings(), "vss.detect", broker=old, of_group={})
    classic = KafkaSettings(group_protocol="classic")
    assert judge_hand_over(classic, "vss.detect", broker=old, of_group={}).slow == ""


def test_a_long_classic_timeout_is_slow() -> None:
    classic = KafkaSettings(group_protocol="classic", session_timeout_ms=45_000)
    found = judge_hand_over(classic, "vss.detect", broker=KAFKA_4, of_group={})
    assert found.slow
    assert "kafka.session_timeout_ms = 6000" in found.fix


def test_the_local_broker_hands_over_promptly(kafka: KafkaSettings) -> None:
    found = read_hand_over(kafka, f"{kafka.topic_prefix}detect")
    assert (found.session_timeout_ms, found.slow) == (6000, "")


# The checks on a real fleet.


def findings(settings: Settings, folder: Path, model: str | None = None) -> dict[str, Finding]:
    checks = fleet_checks(settings, folder=folder, model=model)
    return {finding.name: finding for finding in examine(checks)}


def test_a_whole_fleet_passes(settings: Settings, tmp_path: Path) -> None:
    found = findings(settings, tmp_path)
    states = {name: finding.state for name, finding in found.items()}
    assert states == dict.fromkeys(
        ("broker", "topics", "hand-over", "transactions", "redis", "onnxruntime", "folder"), State.OK
    )


def test_missing_topics_are_named_with_the_command_that_makes_them(settings: Settings, tmp_path: Path) -> None:
    bare = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"topic_prefix": "nowhere."})})
    found = findings(bare, tmp_path)["topics"]
    assert (found.state, found.fix) == (State.FAILED, "vss topics create")
    assert "nowhere.frames" in found.detail


def test_drifted_topics_are_named_with_the_command_that_repairs_them(settings: Settings, tmp_path: Path) -> None:
    prefix = f"{settings.kafka.topic_prefix}less."
    less = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"topic_prefix": prefix})})
    create_topics(less.kafka, partitions=1)
    found = findings(less, tmp_path)["topics"]
    assert found.state is State.FAILED
    assert "vss topics create frames --partitions 4" in found.fix


def test_a_model_that_is_not_there_fails(settings: Settings, tmp_path: Path) -> None:
    found = findings(settings, tmp_path, model="nowhere.onnx")["model"]
    assert found.state is State.FAILED
    assert found.fix


def test_a_model_that_loads_says_what_it_is(settings: Settings, tmp_path: Path, shared_data: Path) -> None:
    found = findings(settings, tmp_path, model=str(shared_data / "models" / "yolox_nano.onnx"))["model"]
    assert found.state is State.OK
    assert "yolox" in found.detail
    assert "416x416" in found.detail


def test_a_folder_that_cannot_be_used_fails(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = findings(settings, tmp_path / "file" / "below")["folder"]
    assert found.state is State.FAILED
    assert found.fix
    assert findings(settings, tmp_path / "not" / "yet")["folder"].state is State.OK


# A transaction that nobody decides.


@contextmanager
def open_transaction(settings: Settings, *, group: str) -> Iterator[Producer]:
    """One record and a group's offset in a transaction that may be open for longer than a worker's."""
    servers, prefix = settings.kafka.bootstrap_servers, settings.kafka.topic_prefix
    producer = Producer(
        {"bootstrap.servers": servers, "transactional.id": uuid.uuid4().hex, "transaction.timeout.ms": 300_000}
    )
    member = Consumer({"bootstrap.servers": servers, "group.id": group})
    producer.init_transactions(30)
    producer.begin_transaction()
    try:
        producer.produce(DETECTIONS.name(prefix), b"1", partition=2)
        producer.flush(30)
        at = KafkaPartition(FRAMES.name(prefix), 0, 7)
        producer.send_offsets_to_transaction([at], member.consumer_group_metadata(), 30)
        yield producer
    finally:
        producer.abort_transaction(30)
        member.close()


def briefly(settings: Settings) -> Settings:
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"transaction_timeout_ms": 1000})})


def test_a_transaction_that_stays_open_is_named_with_the_command_that_ends_it(
    settings: Settings, tmp_path: Path, local_fleet: LocalFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vss.streams.open_transactions._CLEANUP_S", 1.0)
    prefix, servers = settings.kafka.topic_prefix, settings.kafka.bootstrap_servers
    with open_transaction(settings, group=f"{prefix}detect"):
        found = findings(briefly(settings), tmp_path)["transactions"]
        servers_and_folder = ("--folder", str(local_fleet.folder), "--bootstrap-servers", servers)
        environ = {"VSS_KAFKA__TOPIC_PREFIX": prefix, "VSS_KAFKA__TRANSACTION_TIMEOUT_MS": "1000"}
        command = CliRunner().invoke(cli, ["doctor", *servers_and_folder], env=environ)
        with LogReader(settings.kafka, patience_s=1.0) as reader, pytest.raises(BrokerUnavailable) as unknown:
            reader.committed(f"{prefix}detect", [TopicPartition(f"{prefix}frames", 0)])
    assert found.state is State.FAILED
    assert f"{prefix}detections[2] from offset 0" in found.detail
    assert "__consumer_offsets[" in found.detail
    abort = f"abort --topic {prefix}detections --partition 2 --start-offset 0"
    assert f"kafka-transactions.sh --bootstrap-server {servers} {abort}" in found.fix
    assert command.exit_code == 1
    assert "fix: vss down, then vss up with another --folder" in command.output
    assert abort in command.output
    assert "a transaction on its offsets stays open" in str(unknown.value)
    assert unknown.value.fix.endswith(f"VSS_LOOP__GROUP={prefix}detect vss doctor")

    assert findings(briefly(settings), tmp_path)["transactions"].state is State.OK


@pytest.mark.parametrize(
    ("group", "hash_code"),
    [
        ("hello", 99162322),
        ("detect", -1335220573),
        ("Hello World", -862545276),
        ("polygenelubricants", -(1 << 31)),
        ("", 0),
    ],
)
def test_the_partition_of_a_groups_offsets_is_that_of_its_hash_code_without_the_sign(
    group: str, hash_code: int
) -> None:
    expected = 0 if hash_code == -(1 << 31) else abs(hash_code)
    assert [offsets_partition(group, n) for n in (1, 4, 7, 50)] == [expected % n for n in (1, 4, 7, 50)]


def test_a_transaction_that_is_decided_in_time_is_waited_for(settings: Settings, writer: CommittedWriter) -> None:
    topic = DETECTIONS.name(settings.kafka.topic_prefix)
    writer.begin([Message(topic, b"gate", b"1", ())], partition=0)
    timer = threading.Timer(0.7, writer.commit)
    timer.start()
    try:
        assert overdue_transactions(settings.kafka, [topic]) == []
    finally:
        timer.join()


def test_a_cluster_without_an_open_transaction_is_not_waited_for(settings: Settings, writer: CommittedWriter) -> None:
    topics = [topic.name(settings.kafka.topic_prefix) for topic in CATALOGUE]
    writer.write([Message(DETECTIONS.name(settings.kafka.topic_prefix), b"gate", b"1", ())])
    clock = ManualClock()
    before = clock.monotonic()
    assert overdue_transactions(settings.kafka, [*topics, "nowhere"], groups=["a"], clock=clock) == []
    assert clock.monotonic() == before


# The command.


def doctor(bootstrap_servers: str, redis_url: str, *arguments: str) -> Result:
    environ = {"VSS_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers, "VSS_REDIS__URL": redis_url}
    return CliRunner().invoke(cli, ["doctor", *arguments], env=environ)


def test_without_any_server_every_failure_has_its_fix(tmp_path: Path) -> None:
    started = time.monotonic()
    result = doctor("127.0.0.1:1", "redis://127.0.0.1:1", "--json", "--folder", str(tmp_path))
    assert time.monotonic() - started < 30
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["ok"] is False
    states = {check["name"]: check["state"] for check in document["checks"]}
    assert states["broker"] == states["redis"] == "failed"
    assert states["topics"] == states["hand-over"] == states["transactions"] == "skipped"
    assert all(check["fix"] for check in document["checks"] if check["state"] == "failed")


def test_the_command_passes_on_a_fleet_that_works(settings: Settings, tmp_path: Path) -> None:
    servers = ["--bootstrap-servers", settings.kafka.bootstrap_servers, "--redis-url", settings.redis.url]
    environ = {"VSS_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix}
    result = CliRunner().invoke(cli, ["doctor", "--folder", str(tmp_path), *servers], env=environ)
    assert result.exit_code == 0, result.output
    assert "failed" not in result.output
