"""Dead letters: the record as it came, and why it could not be processed, in Kafka Connect's header names.

The names are those of `DeadLetterQueueReporter` in Apache Kafka Connect (KIP-298), so that tools for Connect's
dead-letter queues read ours.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from vss.errors import BadHeader
from vss.schemas.envelope import Headers, Message, Record
from vss.schemas.events import SourceCoordinates

PREFIX = "__connect.errors."
# What fits the topic (16 MiB) with the reason beside it. Compressed on its way in, a record may be larger than any
# topic's limit; a dead letter that cannot be written would end one worker after the other.
_SIZE_LIMIT_BYTES = 15 << 20
_LEFT_OUT = "vss_left_out_bytes"
_MESSAGE_LIMIT = 1000
_STACKTRACE_LIMIT = 4000


def dead_letter(record: Record, error: Exception, *, topic: str, group: str, stage: str) -> Message:
    """The dead letter of a record: key, value and headers untouched, the reason in further headers.

    Of a record of more than 15 MiB the value is left out, and if need be the headers; a header says how many bytes.
    The record itself stays where its coordinates say, for as long as its topic keeps it.

    Args:
        record: What could not be processed.
        error: Why.
        topic: The dead-letter topic.
        group: The consumer group that gave up.
        stage: The step that gave up.
    """
    reason: dict[str, str] = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "connector.name": group,
        "stage": stage,
        "exception.class.name": f"{type(error).__module__}.{type(error).__qualname__}",
        "exception.message": str(error)[:_MESSAGE_LIMIT],
        "exception.stacktrace": "".join(traceback.format_exception(error))[-_STACKTRACE_LIMIT:],
    }
    # A redriven dead letter still carries the headers of its earlier failure: only the newest count.
    kept = tuple((name, value) for name, value in record.headers if not name.startswith(PREFIX))
    added: Headers = tuple((PREFIX + name, text.encode("utf-8", "replace")) for name, text in reason.items())
    headers_bytes = sum(len(name.encode()) + len(value or b"") for name, value in kept)
    value, left_out_bytes = record.value, 0
    if record.size_bytes + headers_bytes > _SIZE_LIMIT_BYTES:
        value, left_out_bytes = None, len(record.value or b"")
        if len(record.key or b"") + headers_bytes > _SIZE_LIMIT_BYTES:
            kept, left_out_bytes = (), left_out_bytes + headers_bytes
        added = (*added, (_LEFT_OUT, str(left_out_bytes).encode()))
    return Message(topic, record.key, value, kept + added)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a dead letter is one.

    Attributes:
        source: The record that could not be processed.
        group: The consumer group that gave up.
        stage: The step that gave up.
        error: The error's class name without its module.
        message: What it said.
    """

    source: SourceCoordinates
    group: str
    stage: str
    error: str
    message: str


def reason_of(record: Record) -> Reason:
    """What the headers of a dead letter say.

    Raises:
        BadHeader: The record is no dead letter of ours or of Kafka Connect's.
    """
    texts = {
        name.removeprefix(PREFIX): (value or b"").decode("utf-8", "replace")
        for name, value in record.headers
        if name.startswith(PREFIX)
    }
    try:
        source = SourceCoordinates(texts["topic"], int(texts["partition"]), int(texts["offset"]))
    except (KeyError, ValueError) as error:
        raise BadHeader(f"no dead letter: header {PREFIX}topic, partition or offset is missing or wrong") from error
    return Reason(
        source=source,
        group=texts.get("connector.name", ""),
        stage=texts.get("stage", ""),
        error=texts.get("exception.class.name", "").rpartition(".")[2],
        message=texts.get("exception.message", ""),
    )
