"""`vss latest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vss.cli.options import redis_options
from vss.config import Settings

if TYPE_CHECKING:
    from vss.schemas.topics import Topic
    from vss.workers.redis_view.reader import Seen

EXAMPLES = """\b
Example:
  vss latest gate
  vss latest gate --topic detections --json | jq .total_objects
  vss latest
"""


@click.command(epilog=EXAMPLES)
@click.argument("camera", required=False)
@click.option(
    "--topic",
    type=click.Choice(["detections", "classifications", "results"]),
    help="Show results of this topic only.  [default: of each]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the events as they stand in Kafka, one a line.")
@redis_options
def latest(settings: Settings, camera: str | None, topic: str | None, as_json: bool) -> None:
    """Show the latest result of a camera, from Redis; of all cameras when none is named.

    `vss worker cache` keeps the results there. Exits with 1 when the camera has none.
    """
    from vss.errors import VssError
    from vss.schemas.topics import result_topics
    from vss.workers.redis_view.reader import ResultView

    topics = [one for one in result_topics() if topic in (None, one.short)]
    with ResultView.connect(settings.redis, topic_prefix=settings.kafka.topic_prefix) as view:
        found = [
            (name, seen, one)
            for one in topics
            for name in ([camera] if camera is not None else view.cameras(one))
            if (seen := view.latest(name, one)) is not None
        ]
    if not found:
        whose = f"of camera {camera}" if camera is not None else "of any camera"
        raise VssError(
            f"there is no result {whose} from the last {settings.redis.ttl_s} s",
            fix="see whether `vss worker cache` and `vss worker detect` run; `vss latest` alone lists every camera",
        )
    for name, seen, one in found:
        if as_json:
            click.echo(seen.value)
        else:
            _print(name, seen, one)


def _print(camera: str, seen: Seen, topic: Topic) -> None:
    assert topic.payload is not None  # noqa: S101 - result topics hold JSON
    event: Any = seen.as_(topic.payload)
    click.secho(camera, bold=True, nl=False)
    click.echo(f"  frame {event.seq if event.seq is not None else '?'} of {event.captured_at or 'an unknown time'}")
    model = f"{event.model_name}@{event.model_version}"
    click.echo(f"  {model}, {event.width}x{event.height}, {_found(event, topic)}")
    for found in getattr(event, "objects", ()):
        box = ", ".join(f"{value:.0f}" for value in found.bbox)
        click.echo(f"  {found.class_:<16} {found.confidence:4.0%}  [{box}]")
    for found in getattr(event, "predictions", ()):
        click.echo(f"  {found.class_:<16} {found.confidence:4.0%}")


def _found(event: Any, topic: Topic) -> str:
    if topic.short == "detections":
        return f"{event.total_objects} objects"
    if topic.short == "classifications":
        return f"object {event.object.index} of the frame" if event.object is not None else "the whole frame"
    return f"{event.task}: {event.result}"
