from __future__ import annotations

import json
import threading
import time

import pytest
from click.testing import CliRunner, Result

from tests.views.makers import (
    CommittedWriter,
    classification,
    classification_message,
    dead_letter_message,
    detection,
    event_message,
    frame_message,
    shed_message,
)
from vss.cli.main import cli
from vss.config import KafkaSettings
from vss.logs import get_logger
from vss.schemas.envelope import Commit, Message, TopicPartition
from vss.schemas.events import SourceCoordinates
from vss.schemas.topics import FRAMES
from vss.streams.kafka_config import client, reader_config
from vss.workers.checks.audit import audit

GROUP = "day-shift"


@pytest.fixture
def frames(kafka: KafkaSettings) -> str:
    return FRAMES.name(kafka.topic_prefix)


def event_of(kafka: KafkaSettings, source: SourceCoordinates, *, group: str | None = GROUP) -> Message:
    return event_message(kafka, detection(source.offset, source=source), group=group)


def test_events_notes_and_dead_letters_are_each_an_outcome(
    kafka: KafkaSettings, writer: CommittedWriter, frames: str
) -> None:
    writer.write([frame_message(kafka)] * 4, partition=2)
    at = [SourceCoordinates(frames, 2, offset) for offset in range(4)]
    writer.write([event_of(kafka, at[0]), event_of(kafka, at[1], group=None)])
    writer.write([shed_message(kafka, at[2], group=GROUP), dead_letter_message(kafka, at[3], group=GROUP)])

    report = audit(kafka, group=GROUP)

    assert report.holds
    assert (report.records, report.events, report.shed, report.dead_letters) == (4, 2, 1, 1)


def test_what_a_second_model_says_of_objects_is_no_outcome_of_its_own(
    kafka: KafkaSettings, writer: CommittedWriter, frames: str
) -> None:
    writer.write([frame_message(kafka)] * 3, partition=1)
    at = [SourceCoordinates(frames, 1, offset) for offset in range(3)]
    cascade = [
        classification_message(kafka, classification(0, source=at[offset], of_object=i), source=f"/groups/{GROUP}/then")
        for offset, i in ((0, 0), (0, 1), (2, 0))
    ]
    whole = classification_message(kafka, classification(1, source=at[1]), source=f"/groups/{GROUP}")
    writer.write([event_of(kafka, at[0]), *cascade, whole])

    report = audit(kafka, group=GROUP)

    assert (report.events, report.doubled, report.missing, report.other_groups) == (2, 0, 1, {})
    assert report.first_missing == (at[2],)
    writer.write([whole])
    assert audit(kafka, group=GROUP).first_doubled == (at[1],)


def test_a_dead_letter_counts_whatever_its_records_headers_say(
    kafka: KafkaSettings, writer: CommittedWriter, frames: str
) -> None:
    writer.write([frame_message(kafka)], partition=1)
    letter = dead_letter_message(kafka, SourceCoordinates(frames, 1, 0), group=GROUP)
    headers = (("ce_source", f"/groups/{GROUP}/then".encode()), *letter.headers)
    writer.write([Message(letter.topic, letter.key, letter.value, headers)])
    assert audit(kafka, group=GROUP).holds


def test_a_lost_a_doubled_and_an_invented_outcome_are_named(
    kafka: KafkaSettings, writer: CommittedWriter, frames: str
) -> None:
    writer.write([frame_message(kafka)] * 3, partition=1)
    # Offset 3 is the transaction's marker, which no outcome can be about.
    at = [SourceCoordinates(frames, 1, offset) for offset in range(4)]
    writer.write([event_of(kafka, at[0]), event_of(kafka, at[1]), event_of(kafka, at[1]), event_of(kafka, at[3])])

    report = audit(kafka, group=GROUP)

    assert not report.holds
    assert (report.missing, report.first_missing) == (1, (at[2],))
    assert (report.doubled, report.first_doubled) == (1, (at[1],))
    assert (report.stray, report.first_stray) == (1, (at[3],))


def test_what_was_never_committed_is_neither_a_record_nor_an_outcome(
    kafka: KafkaSettings, writer: CommittedWriter, frames: str
) -> None:
    writer.write_and_give_up([frame_message(kafka)] * 2, partition=0)
    writer.write([frame_message(kafka)], partition=0)
    at = SourceCoordinates(frames, 0, 3)
    writer.write_and_give_up([event_of(kafka, at)])

    assert audit(kafka, group=GROUP).missing == 1

    writer.write([event_of(kafka, at)])
    report = audit(kafka, group=GROUP)
    assert report.holds
    assert report.records == 1


def test_each_group_owes_its_own_outcome(kafka: KafkaSettings, writer: CommittedWriter, frames: str) -> None:
    writer.write([frame_message(kafka)] * 3, partition=0)
    at = [SourceCoordinates(frames, 0, offset) for offset in range(3)]
    writer.write([event_of(kafka, at[0]), shed_message(kafka, at[1], group=GROUP), event_of(kafka, at[2])])
    writer.write([event_of(kafka, at[0], group="night"), shed_message(kafka, at[1], group="night")])
    writer.write([dead_letter_message(kafka, at[2], group="night")])

    for group, other in ((GROUP, "night"), ("night", GROUP)):
        report = audit(kafka, group=group)
        assert report.holds
        assert report.other_groups == {other: 3}


def test_outcomes_of_another_topic_are_not_counted(kafka: KafkaSettings, writer: CommittedWriter, frames: str) -> None:
    writer.write([frame_message(kafka)], partition=0)
    writer.write([event_of(kafka, SourceCoordinates("telemetry", 0, 0))])
    assert audit(kafka, group=GROUP).missing == 1


def test_what_retention_took_away_owes_nothing(kafka: KafkaSettings, writer: CommittedWriter, frames: str) -> None:
    from confluent_kafka import TopicPartition as KafkaPartition
    from confluent_kafka.admin import AdminClient

    writer.write([frame_message(kafka)] * 5, partition=0)
    writer.write([event_of(kafka, SourceCoordinates(frames, 0, offset)) for offset in range(1, 5)])
    assert audit(kafka, group=GROUP).missing == 1

    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for future in admin.delete_records([KafkaPartition(frames, 0, 3)]).values():
        future.result()
    report = audit(kafka, group=GROUP)
    assert report.holds
    assert report.records == 2


def test_records_that_are_no_events_are_told_of(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    broken = event_message(kafka, detection(0))
    writer.write([Message(broken.topic, broken.key, b"{}"), Message(broken.topic, broken.key, None)])
    report = audit(kafka, group=GROUP)
    assert report.unreadable == 2
    assert report.holds


def test_an_audit_waits_until_the_group_has_committed_everything(
    kafka: KafkaSettings, writer: CommittedWriter, frames: str
) -> None:
    # The end of the input is a marker that no group ever commits: waiting for it would never end.
    writer.write([frame_message(kafka)] * 2, partition=0)

    def work() -> None:
        time.sleep(0.5)
        writer.write([event_of(kafka, SourceCoordinates(frames, 0, offset)) for offset in range(2)])
        commit(kafka, TopicPartition(frames, 0), Commit(2))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        report = audit(kafka, group=GROUP, wait_s=30)
    finally:
        worker.join()
    assert report.caught_up
    assert report.holds
    assert report.seconds < 20


def test_an_audit_that_waited_in_vain_says_so(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    writer.write([frame_message(kafka)])
    report = audit(kafka, group=GROUP, wait_s=0.3)
    assert report.caught_up is False
    assert report.missing == 1


def test_what_waits_for_a_worker_is_told_from_what_is_lost(
    kafka: KafkaSettings, writer: CommittedWriter, frames: str
) -> None:
    writer.write([frame_message(kafka)] * 4, partition=0)
    writer.write([event_of(kafka, SourceCoordinates(frames, 0, 0))])
    commit(kafka, TopicPartition(frames, 0), Commit(1))
    waiting = audit(kafka, group=GROUP)
    assert (waiting.missing, waiting.not_reached, waiting.waits, waiting.holds) == (3, 3, True, False)
    shown = run_audit(kafka, "--group", GROUP)
    assert "3 records still wait for a worker" in shown.output
    assert "broken" not in shown.output

    commit(kafka, TopicPartition(frames, 0), Commit(3))
    lost = audit(kafka, group=GROUP)
    assert (lost.missing, lost.not_reached, lost.waits, lost.holds) == (3, 1, False, False)
    assert "broken" in run_audit(kafka, "--group", GROUP).output


def test_an_outcome_in_a_transaction_that_is_being_decided_is_waited_for(
    kafka: KafkaSettings, writer: CommittedWriter, frames: str
) -> None:
    writer.write([frame_message(kafka)], partition=0)
    writer.begin([event_of(kafka, SourceCoordinates(frames, 0, 0))])
    timer = threading.Timer(0.7, writer.commit)
    timer.start()
    try:
        assert audit(kafka, group=GROUP).holds
    finally:
        timer.join()


def run_audit(kafka: KafkaSettings, *arguments: str) -> Result:
    environ = {"VSS_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "VSS_KAFKA__TOPIC_PREFIX": kafka.topic_prefix}
    return CliRunner().invoke(cli, ["audit", *arguments], env=environ)


def test_the_command_fails_unless_the_promise_holds(kafka: KafkaSettings, writer: CommittedWriter, frames: str) -> None:
    writer.write([frame_message(kafka)], partition=3)
    group = f"{kafka.topic_prefix}detect"
    lost = run_audit(kafka)
    assert lost.exit_code == 1
    assert f"{frames}[3]@0" in lost.output

    writer.write([event_of(kafka, SourceCoordinates(frames, 3, 0), group=group)])
    whole = run_audit(kafka, "--json")
    assert whole.exit_code == 0
    document = json.loads(whole.stdout)
    assert (document["holds"], document["records"], document["group"]) == (True, 1, group)


def commit(kafka: KafkaSettings, partition: TopicPartition, at: Commit) -> None:
    from confluent_kafka import Consumer
    from confluent_kafka import TopicPartition as KafkaPartition

    member = client(Consumer, reader_config(kafka) | {"group.id": GROUP}, get_logger("test"))
    try:
        member.commit(offsets=[KafkaPartition(partition.topic, partition.partition, at.offset)], asynchronous=False)
    finally:
        member.close()
