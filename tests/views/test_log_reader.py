from __future__ import annotations

import time

import pytest

from tests.views.makers import CommittedWriter, frame_message
from vss.clock import Deadline, SystemClock
from vss.config import KafkaSettings
from vss.errors import ConfigError
from vss.schemas.envelope import Record, TopicPartition
from vss.schemas.topics import FRAMES
from vss.streams.log_reader import LogReader


def read_all(reader: LogReader, topic: str) -> list[Record]:
    spans = reader.spans([topic])
    batches = reader.read({p: s.low for p, s in spans.items()}, {p: s.end for p, s in spans.items()})
    return [record for records in batches for record in records]


def test_a_reader_sees_what_is_committed_and_ends_behind_the_last_marker(
    kafka: KafkaSettings, writer: CommittedWriter
) -> None:
    writer.write([frame_message(kafka, b"1")] * 3, partition=0)
    writer.write_and_give_up([frame_message(kafka, b"2")] * 3, partition=0)
    writer.write([frame_message(kafka, b"3")] * 2, partition=1)
    with LogReader(kafka) as reader:
        records = read_all(reader, FRAMES.name(kafka.topic_prefix))
    assert sorted((r.partition, r.offset, r.value) for r in records) == [
        (0, 0, b"1"),
        (0, 1, b"1"),
        (0, 2, b"1"),
        (1, 0, b"3"),
        (1, 1, b"3"),
    ]


def test_what_is_written_behind_the_end_is_left_out(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    topic = FRAMES.name(kafka.topic_prefix)
    writer.write([frame_message(kafka, b"before")] * 2, partition=0)
    with LogReader(kafka) as reader:
        spans = reader.spans([topic])
        writer.write([frame_message(kafka, b"after")] * 2, partition=0)
        batches = reader.read({p: s.low for p, s in spans.items()}, {p: s.end for p, s in spans.items()})
        assert [record.value for records in batches for record in records] == [b"before"] * 2


def test_an_open_transaction_ends_the_span_until_it_is_decided(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    topic = FRAMES.name(kafka.topic_prefix)
    partition = TopicPartition(topic, 0)
    writer.write([frame_message(kafka)], partition=0)
    writer.begin([frame_message(kafka)], partition=0)
    with LogReader(kafka) as reader:
        assert reader.spans([topic])[partition].end == 2
        undecided = reader.decided_spans([topic], Deadline.after(0.3, SystemClock()))
        assert undecided[partition].end == 2
        writer.commit()
        decided = reader.decided_spans([topic], Deadline.after(20, SystemClock()))
    assert decided[partition].end == 4


def test_a_follower_sees_new_records_and_gets_word_when_there_are_none(
    kafka: KafkaSettings, writer: CommittedWriter
) -> None:
    topic = FRAMES.name(kafka.topic_prefix)
    writer.write([frame_message(kafka, b"old")])
    with LogReader(kafka) as reader:
        batches = reader.follow({p: span.end for p, span in reader.spans([topic]).items()}, timeout_s=0.05)
        assert next(batches) == []
        writer.write([frame_message(kafka, b"new")])
        deadline = time.monotonic() + 30
        seen: list[Record] = []
        while not seen and time.monotonic() < deadline:
            seen = next(batches)
    assert [record.value for record in seen] == [b"new"]


def test_a_time_finds_the_first_record_at_or_after_it(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    topic = FRAMES.name(kafka.topic_prefix)
    partition = TopicPartition(topic, 0)
    writer.write([frame_message(kafka)] * 2, partition=0)
    with LogReader(kafka) as reader:
        (first, *_) = read_all(reader, topic)
        assert reader.offsets_at([partition], first.timestamp_ms - 1)[partition] == 0
        assert reader.offsets_at([partition], first.timestamp_ms + 60_000)[partition] is None


def test_a_topic_that_is_not_there_is_named_with_the_fix(kafka: KafkaSettings) -> None:
    with LogReader(kafka) as reader, pytest.raises(ConfigError, match="no topic nowhere") as error:
        reader.spans(["nowhere"])
    assert "vss topics create" in error.value.fix


def test_a_group_that_never_committed_is_nowhere(kafka: KafkaSettings) -> None:
    partition = TopicPartition(FRAMES.name(kafka.topic_prefix), 0)
    with LogReader(kafka) as reader:
        assert reader.committed("nobody", [partition]) == {partition: None}
