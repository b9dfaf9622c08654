"""Records of the catalogue's topics for people and machines: never a picture's bytes, always a dead letter's reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import orjson

from vss.codecs.events import decode_event
from vss.codecs.headers import decode_frame_header, format_time
from vss.codecs.readings import ReadingLimits, decode_readings
from vss.config import Limits
from vss.errors import BadRecord
from vss.schemas.envelope import Record
from vss.schemas.events import ClassificationEvent, DetectionEvent, ResultEvent, ShedNote, SourceCoordinates
from vss.schemas.models import ModelActivation, ModelEvent, ModelVerdict, ServingLimits
from vss.schemas.telemetry import AnomalyEvent, ForecastEvent
from vss.schemas.topics import (
    ANOMALIES,
    CLASSIFICATIONS,
    DEAD_LETTERS,
    DETECTIONS,
    FORECASTS,
    FRAMES,
    MODEL_EVENTS,
    MODEL_VERDICTS,
    MODELS,
    RESULTS,
    SHED,
    TELEMETRY,
    Topic,
)
from vss.streams.dead_letters import PREFIX, reason_of

_TEXT_LIMIT = 200
_SHOWN_FEATURES = 4


@dataclass(frozen=True, slots=True)
class Columns:
    """How records of one topic are laid out in lines.

    The first three columns of each are the record's time, its place (`partition@offset`) and its key.

    Attributes:
        names: Headings; the last column takes the room that is left.
        widths: Characters of each but the last.
        cells: What stands in the others; raises `BadRecord` for a record that is none of the topic's.
    """

    names: tuple[str, ...]
    widths: tuple[int, ...]
    cells: Callable[[Record], tuple[str, ...]]


def columns_of(topic: Topic) -> Columns:
    """The layout for a topic; a plain one for topics without a layout of their own."""
    return _COLUMNS.get(topic.short, _PLAIN)


def row(record: Record, columns: Columns, *, today: date) -> tuple[str, ...]:
    """A record's cells, printable; one that is none of the topic's says so in the last cell.

    Args:
        record: What to show.
        columns: Its topic's.
        today: The times of other days are shown with their date. Times are those of the machine's own zone.
    """
    try:
        cells = columns.cells(record)
    except BadRecord as error:
        blank = ("",) * (len(columns.names) - len(_FIRST) - 1)
        cells = (*blank, f"{type(error).__name__}: {error}")
    first = (_local_time(record, today), f"{record.partition}@{record.offset}", _text(record.key))
    return tuple(printable(cell) for cell in (*first, *cells))


def document(record: Record, topic: Topic) -> dict[str, Any]:
    """A record as JSON: coordinates, key, headers, size, and the value where it is JSON."""
    found: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": _time(record) or None,
        "key": _text(record.key) if record.key is not None else None,
        "size_bytes": len(record.value or b""),
        "headers": {
            name: _text(value) if value is not None else None
            for name, value in record.headers
            if not name.startswith(PREFIX)
        },
    }
    if topic.payload is not None:
        try:
            # Not as the schema sees it: fields that are new to this version are shown as well.
            found["value"] = orjson.loads(record.value or b"")
        except orjson.JSONDecodeError as error:
            found["error"] = f"the value is no JSON: {error}"
    if topic == DEAD_LETTERS:
        try:
            found["reason"] = asdict(reason_of(record))
        except BadRecord as error:
            found["error"] = str(error)
    return found


def printable(text: str) -> str:
    """Without what would move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_TEXT_LIMIT])


def _frame(record: Record) -> tuple[str, ...]:
    header = decode_frame_header(record)
    pixels = f"{header.width}×{header.height}" if header.width and header.height else ""
    image_format = (header.content_type or "").rpartition("/")[2]
    return (_number(header.seq), image_format, pixels, f"{len(record.value or b'') / 1000:,.1f} kB")


def _detection(record: Record) -> tuple[str, ...]:
    event = decode_event(DetectionEvent, record.value)
    counts = Counter(found.class_ for found in event.objects)
    objects = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return (_number(event.seq), f"{event.model_name}@{event.model_version}", objects or "nothing")


def _classification(record: Record) -> tuple[str, ...]:
    event = decode_event(ClassificationEvent, record.value)
    seen = ", ".join(f"{one.class_} {one.confidence:.0%}" for one in event.predictions[:3])
    whole = f"object {event.object.index} ({event.object.class_}): " if event.object is not None else ""
    return (_number(event.seq), f"{event.model_name}@{event.model_version}", whole + seen)


def _result(record: Record) -> tuple[str, ...]:
    event = decode_event(ResultEvent, record.value)
    result = orjson.dumps(event.result, default=str).decode()
    return (_number(event.seq), f"{event.model_name}@{event.model_version}", f"{event.task}: {result}")


def _reading(record: Record) -> tuple[str, ...]:
    limits = ReadingLimits.of(Limits())
    found = decode_readings([record.value], [record.key], [record.timestamp_ms], limits)
    if found.errors:
        raise found.errors[0]
    values = list(found.values[0].items())
    shown = [f"{feature} {'-' if value is None else f'{value:g}'}" for feature, value in values[:_SHOWN_FEATURES]]
    return (format_time(int(found.ts_ms[0]) * 1_000_000)[:23], _listed(shown, len(values)))


def _anomaly(record: Record) -> tuple[str, ...]:
    event = decode_event(AnomalyEvent, record.value)
    found = [f"{one.feature} {one.share:.0%}" for one in event.affected_features]
    says = f"{event.severity}: {_listed(found[:_SHOWN_FEATURES], len(found))}" if event.is_anomaly else "normal"
    score = f"{event.anomaly_score:.3g}/{event.threshold:.3g}"
    return (f"{event.model_name}@{event.model_version}", score, says)


def _forecast(record: Record) -> tuple[str, ...]:
    event = decode_event(ForecastEvent, record.value)
    ends = [(name, values[-1], event.confidence_intervals[name][-1]) for name, values in event.predictions.items()]
    shown = [f"{name} {value:.4g} ({low:.4g} to {high:.4g})" for name, value, (low, high) in ends[:_SHOWN_FEATURES]]
    return (f"{event.model_name}@{event.model_version}", event.times[-1][:19], _listed(shown, len(ends)))


def _listed(shown: list[str], number: int) -> str:
    rest = number - len(shown)
    return ", ".join([*shown, f"{rest} more"] if rest > 0 else shown)


def _activation(record: Record) -> tuple[str, ...]:
    event = decode_event(ModelActivation, record.value)
    keys = "all" if event.percent == 100 else f"{event.percent} %"
    why = "; ".join(part for part in (event.reason, _limits(event.limits)) if part)
    return (event.version, keys, event.stable or "-", why)


def _limits(limits: ServingLimits | None) -> str:
    if limits is None:
        return ""
    asked = [f"errors ≤ {limits.max_error_rate:.1%}"] if limits.max_error_rate is not None else []
    asked += [f"p95 ≤ {limits.max_p95_ms:g} ms"] if limits.max_p95_ms is not None else []
    return f"must keep {', '.join(asked)}"


def _verdict(record: Record) -> tuple[str, ...]:
    event = decode_event(ModelVerdict, record.value)
    return (f"{event.name}@{event.version}", event.worker, event.reason)


def _model_event(record: Record) -> tuple[str, ...]:
    event = decode_event(ModelEvent, record.value)
    return (event.kind.replace("_", " "), event.version, event.serving or "-", event.worker, event.reason)


def _shed(record: Record) -> tuple[str, ...]:
    note = decode_event(ShedNote, record.value)
    return (_source(note.source), note.group, f"{note.reason}, {note.age_ms:,.0f} ms old")


def _dead_letter(record: Record) -> tuple[str, ...]:
    reason = reason_of(record)
    why = f"{reason.error}: {reason.message}" if reason.message else reason.error
    return (_source(reason.source), reason.group, why)


def _plain(record: Record) -> tuple[str, ...]:
    return (_text(record.value),)


def _time(record: Record) -> str:
    return format_time(record.timestamp_ms * 1_000_000) if record.timestamp_ms > 0 else ""


def _local_time(record: Record, today: date) -> str:
    if record.timestamp_ms <= 0:
        return ""
    moment = datetime.fromtimestamp(record.timestamp_ms / 1000).astimezone()
    clock = f"{moment:%H:%M:%S}"
    return f"{clock}.{record.timestamp_ms % 1000:03d}" if moment.date() == today else f"{moment:%m-%d} {clock}"


def _number(value: int | None) -> str:
    return str(value) if value is not None else ""


def _source(source: SourceCoordinates) -> str:
    return f"{source.topic}[{source.partition}]@{source.offset}"


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


_FIRST = ("time", "at", "key")
# With these a frame's line fits into 80 characters.
_FIRST_WIDTHS = (14, 10, 14)
_PLAIN = Columns((*_FIRST, "value"), _FIRST_WIDTHS, _plain)
_COLUMNS: Mapping[str, Columns] = {
    FRAMES.short: Columns(
        ("time", "at", "camera", "seq", "format", "pixels", "size"), (*_FIRST_WIDTHS, 7, 6, 9), _frame
    ),
    DETECTIONS.short: Columns(("time", "at", "camera", "seq", "model", "found"), (*_FIRST_WIDTHS, 7, 22), _detection),
    CLASSIFICATIONS.short: Columns(
        ("time", "at", "camera", "seq", "model", "seen"), (*_FIRST_WIDTHS, 7, 22), _classification
    ),
    RESULTS.short: Columns(("time", "at", "camera", "seq", "model", "result"), (*_FIRST_WIDTHS, 7, 22), _result),
    TELEMETRY.short: Columns(("time", "at", "sensor", "measured", "values"), (*_FIRST_WIDTHS, 23), _reading),
    ANOMALIES.short: Columns(("time", "at", "sensor", "model", "score", "says"), (*_FIRST_WIDTHS, 18, 13), _anomaly),
    FORECASTS.short: Columns(
        ("time", "at", "sensor", "model", "until", "foretells"), (*_FIRST_WIDTHS, 18, 19), _forecast
    ),
    MODELS.short: Columns(
        ("time", "at", "model", "version", "keys", "before", "why"), (*_FIRST_WIDTHS, 7, 5, 6), _activation
    ),
    MODEL_VERDICTS.short: Columns(
        ("time", "at", "activation", "gives up", "worker", "reason"), (14, 10, 32, 16, 20), _verdict
    ),
    MODEL_EVENTS.short: Columns(
        ("time", "at", "model", "what", "version", "serves", "worker", "why"),
        (*_FIRST_WIDTHS, 11, 7, 6, 20),
        _model_event,
    ),
    SHED.short: Columns((*_FIRST, "record", "group", "reason"), (*_FIRST_WIDTHS, 24, 14), _shed),
    DEAD_LETTERS.short: Columns((*_FIRST, "record", "group", "reason"), (*_FIRST_WIDTHS, 24, 14), _dead_letter),
}
