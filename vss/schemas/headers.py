"""The Kafka headers of each kind of record, as documents describe them; `vss.codecs.headers` reads and writes them.

A header's value is UTF-8 text. Headers that are not named here are kept and ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_INTEGER = "^-?[0-9]{1,19}$"
_TRACEPARENT = "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"


@dataclass(frozen=True, slots=True)
class Header:
    """One header.

    Attributes:
        name: As it stands in Kafka.
        summary: What it says.
        always: Whether every record of the kind carries it.
        pattern: What its text matches.
        format: Of JSON Schema.
        const: Its only value.
    """

    name: str
    summary: str
    always: bool = False
    pattern: str | None = None
    format: str | None = None
    const: str | None = None


_SPEC_VERSION = Header("ce_specversion", "CloudEvents version.", always=True, const="1.0")
_TRACE = Header("traceparent", "W3C trace context, handed on from frame to event.", pattern=_TRACEPARENT)

# None is asked of a producer: an image with a key is a frame.
FRAME_HEADERS: tuple[Header, ...] = (
    Header("ce_specversion", "CloudEvents version.", const="1.0"),
    Header("ce_type", "CloudEvents type.", const="vss.frame.v1"),
    Header("ce_id", "Unique together with ce_source."),
    Header("ce_source", "/cameras/ and the camera id.", pattern="^/"),
    Header("ce_time", "When the frame was captured, RFC 3339; the record's timestamp counts where it is absent.",
           format="date-time"),
    Header("content-type", "The image's format, such as image/jpeg; the name CloudEvents gives it in Kafka."),
    Header("datacontenttype", "The same, as older producers name it; where neither is there, the bytes decide."),
    Header("vss_epoch", "Start of this camera run, milliseconds since the epoch.", pattern=_INTEGER),
    Header("vss_seq", "Counts captured frames from 0; a gap is a frame the camera had to drop.", pattern=_INTEGER),
    Header("vss_pts_ns", "Presentation time in the source, nanoseconds.", pattern=_INTEGER),
    Header("vss_width", "Pixels.", pattern=_INTEGER),
    Header("vss_height", "Pixels.", pattern=_INTEGER),
    Header("vss_model", "Routes the frame to one model."),
    _TRACE,
)  # fmt: skip


# None is asked of a producer: a reading with a key is served.
READING_HEADERS: tuple[Header, ...] = (
    Header("ce_specversion", "CloudEvents version.", const="1.0"),
    Header("ce_type", "CloudEvents type.", const="vss.reading.v1"),
    Header("ce_id", "Unique together with ce_source."),
    Header("ce_source", "/sensors/ and the sensor id.", pattern="^/"),
    Header("ce_time", "When it was measured, RFC 3339; what the value says counts.", format="date-time"),
    Header("content-type", "The value's format.", const="application/json"),
    Header("datacontenttype", "The same, as older producers name it.", const="application/json"),
    Header("vss_epoch", "Start of the producer's run, milliseconds since the epoch.", pattern=_INTEGER),
    Header(
        "vss_seq", "Counts what the producer's source gave from 0; a gap is a reading it had to drop.", pattern=_INTEGER
    ),
    Header("vss_model", "Routes the reading's window to one model."),
    Header("traceparent", "W3C trace context, handed on from reading to event.", pattern=_TRACEPARENT),
)


def event_headers_of(ce_type: str) -> tuple[Header, ...]:
    """The headers of an event or note.

    Args:
        ce_type: Its CloudEvents type.
    """
    return (
        _SPEC_VERSION,
        Header("ce_id", "Equals the event's id.", always=True),
        Header("ce_type", "CloudEvents type.", always=True, const=ce_type),
        Header("ce_source", "Who made it: /groups/ and the consumer group.", always=True, pattern="^/"),
        Header("ce_time", "When it was made, RFC 3339.", always=True, format="date-time"),
        Header("content-type", "The value's format.", always=True, const="application/json"),
        Header("datacontenttype", "The same, as older readers look for it.", always=True, const="application/json"),
        _TRACE,
    )


_ERRORS = "__connect.errors."
DEAD_LETTER_HEADERS: tuple[Header, ...] = (
    Header(_ERRORS + "topic", "Topic of the record.", always=True),
    Header(_ERRORS + "partition", "Partition of the record.", always=True, pattern=_INTEGER),
    Header(_ERRORS + "offset", "Offset of the record.", always=True, pattern=_INTEGER),
    Header(_ERRORS + "connector.name", "The consumer group that gave up.", always=True),
    Header(_ERRORS + "stage", "The step that gave up.", always=True),
    Header(_ERRORS + "exception.class.name", "The error's class.", always=True),
    Header(_ERRORS + "exception.message", "What it said.", always=True),
    Header(_ERRORS + "exception.stacktrace", "Where it came from.", always=True),
)


def headers_schema(headers: tuple[Header, ...]) -> dict[str, Any]:
    """JSON Schema of headers as an object of texts."""
    return {
        "type": "object",
        "properties": {header.name: _property(header) for header in headers},
        "required": [header.name for header in headers if header.always],
    }


def _property(header: Header) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "string", "description": header.summary}
    for name in ("pattern", "format", "const"):
        if (value := getattr(header, name)) is not None:
            found[name] = value
    return found
