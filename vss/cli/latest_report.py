"""How `vss latest` shows results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vss.schemas.topics import Topic
    from vss.workers.redis_view.reader import Seen


def report(key: str, seen: Seen, topic: Topic) -> None:
    """Prints one result.

    Args:
        key: The camera or sensor.
        seen: What the view holds of it.
        topic: Which kind of result that is.
    """
    from vss.schemas.events import FrameEvent
    from vss.schemas.telemetry import AnomalyEvent, ForecastEvent

    assert topic.payload is not None  # noqa: S101 - result topics hold JSON
    event: Any = seen.as_(topic.payload)
    click.secho(key, bold=True, nl=False)
    match event:
        case FrameEvent():
            lines = _of_frame(event, topic)
        case AnomalyEvent():
            lines = _anomaly(event)
        case ForecastEvent():
            lines = _forecast(event)
        case _:
            lines = iter((f"  {topic.short} of {event.timestamp}", f"  {seen.value.decode('utf-8', 'replace')}"))
    for line in lines:
        click.echo(line)


def _of_frame(event: Any, topic: Topic) -> Iterator[str]:
    yield f"  frame {event.seq if event.seq is not None else '?'} of {event.captured_at or 'an unknown time'}"
    yield f"  {event.model_name}@{event.model_version}, {event.width}x{event.height}, {_found(event, topic)}"
    for found in getattr(event, "objects", ()):
        box = ", ".join(f"{value:.0f}" for value in found.bbox)
        yield f"  {found.class_:<16} {found.confidence:4.0%}  [{box}]"
    for found in getattr(event, "predictions", ()):
        yield f"  {found.class_:<16} {found.confidence:4.0%}"


def _found(event: Any, topic: Topic) -> str:
    if topic.short == "detections":
        return f"{event.total_objects} objects"
    if topic.short == "classifications":
        return f"object {event.object.index} of the frame" if event.object is not None else "the whole frame"
    return f"{event.task}: {event.result}"


def _window(event: Any) -> Iterator[str]:
    imputed = f", {event.window.imputed} values stood in for" if event.window.imputed else ""
    yield f"  {event.window.readings} readings until {event.captured_at}{imputed}"


def _anomaly(event: Any) -> Iterator[str]:
    yield from _window(event)
    verdict = f"anomaly, {event.severity}" if event.is_anomaly else "normal"
    score = f"score {event.anomaly_score:.4g}, threshold {event.threshold:.4g}"
    yield f"  {event.model_name}@{event.model_version}, {verdict}, {score}"
    for one in event.affected_features:
        yield f"  {one.feature:<16} {one.share:4.0%}"


def _forecast(event: Any) -> Iterator[str]:
    yield from _window(event)
    until = f"{event.horizon} steps until {event.times[-1]}"
    yield f"  {event.model_name}@{event.model_version}, {until}, {event.confidence_level:.0%} intervals"
    for feature, values in event.predictions.items():
        low, high = event.confidence_intervals[feature][-1]
        yield f"  {feature:<16} {values[-1]:.4g} [{low:.4g}, {high:.4g}]"
