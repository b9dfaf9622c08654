"""librdkafka's messages to records."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import Message as KafkaMessage

from vss.schemas.envelope import TopicPartition
from vss.streams.kafka_records import record_of, records_of


class Read:
    """A message as the client hands it out."""

    def __init__(self, headers: Any) -> None:
        self._headers = headers

    def error(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (0, -1)

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 1

    def offset(self) -> int:
        return 2

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes:
        return b"v"

    def headers(self) -> Any:
        if isinstance(self._headers, Exception):
            raise self._headers
        return self._headers


@pytest.mark.parametrize("error", [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), SystemError("returned NULL")])
def test_headers_that_the_client_cannot_show_do_not_end_the_worker(error: Exception) -> None:
    record = record_of(cast("KafkaMessage", Read(error)))
    assert (record.value, record.headers) == (b"v", ())


def test_what_is_not_there_is_said_so() -> None:
    record = record_of(cast("KafkaMessage", Read(None)))
    assert (record.key, record.headers, record.timestamp_ms) == (None, (), 0)


def test_one_header_that_cannot_be_shown_hides_no_other() -> None:
    broken, whole = Read(SystemError("returned NULL")), Read([("ce_id", b"1")])
    held = TopicPartition("t", 1)
    records = records_of(cast("list[KafkaMessage]", [broken, whole]), [held])
    assert [record.headers for record in records] == [(), (("ce_id", b"1"),)]
    assert all(record.topic_partition is held for record in records)


def test_what_is_not_held_is_left_out() -> None:
    assert records_of(cast("list[KafkaMessage]", [Read(None)]), [TopicPartition("t", 2)]) == []
