"""An audit of readings: what is in windows is seen through the events that name them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from tests.telemetry.makers import anomaly, anomaly_message, span
from tests.views.makers import CommittedWriter, shed_message
from vss.cli.main import cli
from vss.config import KafkaSettings, WindowSettings
from vss.errors import BadReading, InferenceFailed
from vss.logs import get_logger
from vss.schemas.envelope import Message, Record
from vss.schemas.events import SourceCoordinates
from vss.schemas.topics import DEAD_LETTERS, TELEMETRY
from vss.streams.dead_letters import dead_letter
from vss.streams.kafka_config import client, reader_config
from vss.testing import make_bad_readings, make_reading
from vss.workers.checks.audit import AuditReport, audit

GROUP = "night-shift"


class Log:
    """Readings of one sensor in partition 1, and what came of them."""

    def __init__(self, kafka: KafkaSettings, writer: CommittedWriter) -> None:
        self.kafka, self.writer = kafka, writer
        self.topic = TELEMETRY.name(kafka.topic_prefix)

    def at(self, offset: int) -> SourceCoordinates:
        return SourceCoordinates(self.topic, 1, offset)

    def readings(self, seqs: Sequence[int], sensor: str = "pump-1") -> None:
        self.write([make_reading(sensor, seq, topic=self.topic) for seq in seqs])

    def write(self, messages: Sequence[Message]) -> None:
        self.writer.write(messages, partition=1)

    def event(self, first_seq: int, last_seq: int, source: int, *, first_offset: int | None = None) -> None:
        window = span(first_seq, last_seq, first_offset=first_offset)
        self.writer.write([anomaly_message(self.kafka, anomaly(window, self.at(source)), group=GROUP)])

    def note(self, offset: int) -> None:
        self.writer.write([shed_message(self.kafka, self.at(offset), group=GROUP)])

    def letter(self, offset: int, error: Exception) -> None:
        record = Record(self.topic, 1, offset, b"pump-1", b"x")
        topic = DEAD_LETTERS.name(self.kafka.topic_prefix)
        self.writer.write([dead_letter(record, error, topic=topic, group=GROUP, stage="anomaly")])

    def commit(self, offset: int) -> None:
        from confluent_kafka import Consumer, TopicPartition

        member = client(Consumer, reader_config(self.kafka) | {"group.id": GROUP}, get_logger("test"))
        try:
            member.commit(offsets=[TopicPartition(self.topic, 1, offset)], asynchronous=False)
        finally:
            member.close()

    def audit(self, *, max_rewind: int = 2_000_000) -> AuditReport:
        windows = WindowSettings(max_rewind=max_rewind)
        return audit(self.kafka, group=GROUP, topic=TELEMETRY, windows=windows)


@pytest.fixture
def log(kafka: KafkaSettings, writer: CommittedWriter) -> Log:
    return Log(kafka, writer)


def test_readings_in_windows_are_taken_and_an_event_is_one_outcome(log: Log) -> None:
    log.readings(range(6))
    log.event(0, 3, 3)
    log.event(1, 4, 4)
    log.commit(6)
    report = log.audit()
    assert report.holds
    assert (report.records, report.events, report.taken, report.waiting) == (6, 2, 4, 1)


def test_what_the_group_has_not_committed_waits_for_a_worker(log: Log) -> None:
    log.readings(range(6))
    log.event(0, 3, 3)
    log.commit(4)
    report = log.audit()
    assert (report.missing, report.not_reached, report.waits, report.taken) == (2, 2, True, 3)


def test_a_reading_that_was_lost_on_its_way_shows_in_the_next_window(log: Log) -> None:
    log.readings(range(6))
    log.event(0, 3, 3)
    log.event(0, 5, 5)  # says six readings: all of them
    log.commit(6)
    assert log.audit().holds
    # A window of four that ends at 4, but reaches back to 0: one of those between never came into it.
    window = span(0, 4)
    lost = anomaly(replace(window, readings=4), log.at(4))
    log.writer.write([anomaly_message(log.kafka, lost, group=GROUP)])
    report = log.audit()
    assert not report.holds
    assert (report.wrong_windows, report.first_wrong_windows) == (1, (log.at(4),))


def test_late_and_refused_readings_are_in_no_window_but_one_that_a_model_failed_on_is(log: Log) -> None:
    log.readings([0, 1, 1, 2])  # 2 is a duplicate
    log.write([Message(log.topic, b"pump-1", b"no JSON")])
    log.readings([3, 4, 5])  # Offsets are 0-3, (4 a marker), 5, (6), 7, 8, 9.
    log.note(2)
    log.letter(5, BadReading("no JSON"))
    log.letter(7, InferenceFailed("the model raised"))
    log.event(1, 4, 8)
    log.commit(10)
    report = log.audit()
    assert report.holds, report
    assert (report.events, report.shed, report.dead_letters, report.taken, report.waiting) == (1, 1, 2, 4, 2)


def test_readings_out_of_order_are_counted_by_their_time(log: Log) -> None:
    log.readings([0, 3, 1, 2, 4, 5])
    # The window of four that ends with 5: 2 came after 3, and 1 left it again although it came after 3.
    log.event(2, 5, 5, first_offset=1)
    log.commit(6)
    report = log.audit()
    assert report.holds, report
    log.event(1, 4, 4, first_offset=1)
    assert log.audit().holds


def test_a_window_over_two_blocks_of_the_log_may_hold_what_was_left_out_before(log: Log) -> None:
    log.readings([0, 1, 9, 2, 3, 10, 11])
    log.note(3)
    log.note(4)
    # Of the block that begins with 4: it holds 2 and 3, which were late while 9 was remembered.
    window = replace(span(1, 10, first_offset=1), readings=5)
    log.writer.write([anomaly_message(log.kafka, anomaly(window, log.at(5)), group=GROUP)])
    log.commit(7)
    assert log.audit(max_rewind=8).holds
    assert log.audit().wrong_windows == 1


def test_a_broken_reading_without_a_dead_letter_is_missing(log: Log) -> None:
    bad = [message for message, _ in make_bad_readings("pump-1", topic=log.topic).values()]
    log.write(bad)
    log.commit(len(bad))
    report = log.audit()
    assert (report.missing, report.taken) == (len(bad), 0)


def test_two_sensors_of_a_partition_have_windows_of_their_own(log: Log) -> None:
    log.write([make_reading(sensor, seq, topic=log.topic) for seq in range(4) for sensor in ("pump-1", "pump-2")])
    log.event(0, 3, 6, first_offset=0)
    log.commit(8)
    report = log.audit()
    assert report.holds, report
    assert (report.taken, report.waiting) == (7, 4)


def run_audit(kafka: KafkaSettings, *arguments: str) -> Result:
    environ = {"VSS_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "VSS_KAFKA__TOPIC_PREFIX": kafka.topic_prefix}
    return CliRunner().invoke(cli, ["audit", "--topic", "telemetry", "--group", GROUP, *arguments], env=environ)


def test_the_command_tells_of_taken_readings_and_of_wrong_windows(log: Log) -> None:
    log.readings(range(5))
    log.event(0, 3, 3)
    log.commit(5)
    shown = run_audit(log.kafka)
    assert shown.exit_code == 0
    assert "1 of the taken readings are in no event's window yet" in shown.output
    log.event(1, 3, 4)
    broken = run_audit(log.kafka, "--json")
    assert broken.exit_code == 1
    document = json.loads(broken.stdout)
    assert (document["taken"], document["wrong_windows"]) == (3, 1)
    assert f"{log.topic}[1]@4" in run_audit(log.kafka).output
