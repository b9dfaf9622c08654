"""The log of activations on a real broker."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog.testing
from confluent_kafka.admin import AdminClient, NewTopic

from tests.streams.activation_records import TIME, activation, message, verdict
from tests.streams.contract.world import LOGGER, read_committed, wait_until
from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ConfigError
from vss.local.fleet import LocalFleet
from vss.schemas.envelope import Message
from vss.schemas.models import ModelActivation, ModelEvent, ModelVerdict
from vss.schemas.topics import MODEL_EVENTS, MODEL_VERDICTS, MODELS
from vss.streams.activation_log import ActivationFollower, read_activations
from vss.streams.activation_state import ActivationState
from vss.streams.activation_writer import ActivationWriter
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.topic_admin import create_topics

CONTROL = (MODELS, MODEL_VERDICTS, MODEL_EVENTS)


@pytest.fixture
def bare(bootstrap_servers: str) -> KafkaSettings:
    """The session's broker, with a prefix of the test's own and no topics."""
    return KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"{uuid.uuid4().hex}.")


@pytest.fixture
def kafka(bare: KafkaSettings) -> KafkaSettings:
    create_topics(bare, CONTROL)
    return bare


Told = list[tuple[str, str, bool]]


@pytest.fixture
def follow() -> Iterator[Callable[..., tuple[dict[str, ActivationState], Told]]]:
    """Starts a follower: what was active at the start, and a list of what it tells from then on."""
    with ExitStack() as followers:

        def start(kafka: KafkaSettings, look_again_s: float = 0.2) -> tuple[dict[str, ActivationState], Told]:
            told: Told = []
            follower = ActivationFollower(
                kafka,
                on_change=lambda name, state: told.append((name, state.activation.version, state.given_up)),
                look_again_s=look_again_s,
            )
            followers.callback(follower.close)
            return follower.start(), told

        yield start


Follow = Callable[..., tuple[dict[str, ActivationState], Told]]


def write(kafka: KafkaSettings, *what: ModelActivation | ModelVerdict | Message) -> None:
    publisher = KafkaPublisher(kafka, logger=LOGGER)
    for one in what:
        assert publisher.publish(one if isinstance(one, Message) else message(kafka, one))
        assert publisher.flush(30) == 0
    publisher.close()


def test_a_follower_knows_what_is_active_before_it_returns_and_hears_of_every_change(
    kafka: KafkaSettings, follow: Follow
) -> None:
    write(kafka, activation("a1", version="2"), activation("y", name="yard", version="7"), verdict("y", name="yard"))
    states, told = follow(kafka)
    assert {name: (s.activation.version, s.given_up) for name, s in states.items()} == {
        "gate": ("2", False),
        "yard": ("7", True),
    }
    assert states == read_activations(kafka)
    write(kafka, activation("a2", version="3"), verdict("a2", version="3"), verdict("a2"), activation("a3"))
    # The two topics may come in either order, yet each change of `gate` is told once.
    wait_until(lambda: told[-1:] == [("gate", "2", False)])
    assert ("gate", "3", True) in told or told[0] == ("gate", "3", False)
    assert len(told) <= 3


def test_what_is_no_activation_is_passed_over(kafka: KafkaSettings, follow: Follow) -> None:
    models, verdicts = MODELS.name(kafka.topic_prefix), MODEL_VERDICTS.name(kafka.topic_prefix)
    good = message(kafka, activation("a1", version="5"))
    bad = [
        Message(models, b"gate", b"no json"),
        Message(models, b"gate", b"{}"),
        Message(models, b"yard", good.value),
        Message(models, b"gate", message(kafka, activation("a0", percent=0)).value),
        Message(verdicts, b"gate", b"\xff"),
        Message(verdicts, b"a9", None),
    ]
    write(kafka, *bad)
    with structlog.testing.capture_logs() as logs:
        states, told = follow(kafka)
        assert states == {}
        write(kafka, good, *bad)
        wait_until(lambda: told == [("gate", "5", False)])
        wait_until(lambda: sum("passed over" in line["event"] for line in logs) == 2 * 5)
    assert {line["reason"].split(":")[0] for line in logs} >= {"percent", "name", "id"}
    assert list(read_activations(kafka)) == ["gate"]


def test_a_deleted_activation_counts_no_more(kafka: KafkaSettings) -> None:
    write(kafka, activation("a1"), Message(MODELS.name(kafka.topic_prefix), b"gate", None))
    assert read_activations(kafka) == {}


def test_a_missing_topic_activates_nothing_until_it_is_there(bare: KafkaSettings, follow: Follow) -> None:
    with pytest.raises(ConfigError, match="there is no topic"):
        read_activations(bare)
    with structlog.testing.capture_logs() as logs:
        states, told = follow(bare)
        time.sleep(0.5)
    assert states == {}
    assert [line["fix"] for line in logs] == ["create the topics: vss topics create"] * 2, "once a topic, not each look"
    create_topics(bare, [MODELS])
    write(bare, activation("a1"))
    wait_until(lambda: told == [("gate", "2", False)])
    create_topics(bare, [MODEL_VERDICTS])
    write(bare, verdict("a1"))
    wait_until(lambda: told == [("gate", "2", False), ("gate", "2", True)])


def test_a_callback_that_fails_does_not_end_the_following(kafka: KafkaSettings) -> None:
    told = []

    def fails_first(_name: str, state: ActivationState) -> None:
        told.append(state.activation.version)
        if len(told) == 1:
            raise RuntimeError("a bug")

    with ActivationFollower(kafka, on_change=fails_first) as follower:
        follower.start()
        write(kafka, activation("a1", version="2"), activation("a2", version="3"))
        wait_until(lambda: told == ["2", "3"])


def test_records_are_written_with_their_key_and_headers(kafka: KafkaSettings) -> None:
    event = ModelEvent(
        id="e1",
        kind="refused",
        name="gate",
        version="2",
        serving="1",
        activation_id="a1",
        reason="no such file",
        worker="host:1",
        group="vss.detect",
        timestamp=TIME,
    )
    with ActivationWriter(kafka) as writer:
        writer.activation(activation("a1"))
        writer.verdict(verdict("a1"))
        writer.event(event)
    assert read_activations(kafka) == {"gate": ActivationState(activation("a1"), verdict("a1"))}
    found = {t: read_committed(kafka.bootstrap_servers, t.name(kafka.topic_prefix))[0] for t in CONTROL}
    assert [record.key for record in found.values()] == [b"gate", b"a1", b"gate"]
    headers = {topic.short: dict(record.headers) for topic, record in found.items()}
    assert {short: (h["ce_id"], h["ce_type"], h["ce_source"]) for short, h in headers.items()} == {
        "models": (b"a1", b"vss.model.activation.v1", b"/models/gate"),
        "model-verdicts": (b"verdict-a1", b"vss.model.verdict.v1", b"/workers/host:1"),
        "model-events": (b"e1", b"vss.model.event.v1", b"/workers/host:1"),
    }


def test_whoever_writes_is_told_when_there_is_no_topic_or_no_broker(bare: KafkaSettings) -> None:
    nobody = bare.model_copy(update={"bootstrap_servers": "127.0.0.1:9"})
    with ActivationWriter(nobody) as writer, pytest.raises(BrokerUnavailable, match="within 1 s"):
        writer.activation(activation(), timeout_s=1)
    hasty = bare.model_copy(update={"properties": {"topic.metadata.propagation.max.ms": 200}})
    with ActivationWriter(hasty) as writer, pytest.raises(ConfigError, match="models"):
        writer.activation(activation())


@pytest.mark.slow
def test_a_follower_outlives_its_broker_and_stops_at_once_without_one(tmp_path: Path, follow: Follow) -> None:
    with LocalFleet(tmp_path / "fleet") as fleet:
        kafka = KafkaSettings(bootstrap_servers=fleet.addresses.bootstrap_servers)
        create_topics(kafka, CONTROL)
        write(kafka, activation("a1"))
        states, told = follow(kafka)
        assert list(states) == ["gate"]
        fleet.kill_broker()
        with ActivationWriter(kafka, patient=True) as writer:
            with pytest.raises(BrokerUnavailable, match="it will be when the broker is there"):
                writer.activation(activation("a2", version="3"), timeout_s=0.5)
            fleet.restart_broker()
            wait_until(lambda: told == [("gate", "3", False)])
        other = ActivationFollower(kafka, on_change=lambda *_: None)
        other.start()
        fleet.kill_broker()
        time.sleep(1.0)
        started_s = time.monotonic()
        other.close()
        assert time.monotonic() - started_s < 3.5


@pytest.mark.slow
def test_a_follower_that_starts_after_compaction_sees_the_same_state(bare: KafkaSettings) -> None:
    config = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"}
    admin = AdminClient({"bootstrap.servers": bare.bootstrap_servers})
    new = [NewTopic(t.name(bare.topic_prefix), 1, 1, config=config) for t in (MODELS, MODEL_VERDICTS)]
    for future in admin.create_topics(new).values():
        future.result(30)
    for i in range(20):
        write(bare, activation(f"a{i}", version=str(i)), verdict(f"a{i}"))
        time.sleep(0.03)
    before = read_activations(bare)
    models = MODELS.name(bare.topic_prefix)

    def compacted() -> bool:
        # A new segment closes the one before, which alone is compacted.
        write(bare, activation("a19", version="19"))
        return len(read_committed(bare.bootstrap_servers, models)) < 10

    wait_until(compacted, patience_s=90, pause_s=1.0)
    assert read_activations(bare) == before
    assert before["gate"].given_up
    with ActivationFollower(bare, on_change=lambda *_: None) as follower:
        assert follower.start() == before
