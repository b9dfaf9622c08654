"""`vss latest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vss.cli.options import redis_options
from vss.config import Settings

if TYPE_CHECKING:
    from vss.workers.redis_view.reader import Seen

EXAMPLES = """\b
Example:
  vss latest gate
  vss latest gate --json | jq .total_objects
  vss latest
"""


@click.command(epilog=EXAMPLES)
@click.argument("camera", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the event as it stands in Kafka, one line a camera.")
@redis_options
def latest(settings: Settings, camera: str | None, as_json: bool) -> None:
    """Show the latest result of a camera, from Redis; of all cameras when none is named.

    `vss worker cache` keeps the results there. Exits with 1 when the camera has none.
    """
    from vss.errors import VssError
    from vss.workers.redis_view.reader import ResultView

    with ResultView.connect(settings.redis, topic_prefix=settings.kafka.topic_prefix) as view:
        cameras = [camera] if camera is not None else view.cameras()
        found = [(name, seen) for name in cameras if (seen := view.latest(name)) is not None]
    if not found:
        whose = f"of camera {camera}" if camera is not None else "of any camera"
        raise VssError(
            f"there is no result {whose} from the last {settings.redis.ttl_s} s",
            fix="see whether `vss worker cache` and `vss worker detect` run; `vss latest` alone lists every camera",
        )
    for name, seen in found:
        if as_json:
            click.echo(seen.value)
        else:
            _print(name, seen)


def _print(camera: str, seen: Seen) -> None:
    event = seen.event()
    click.secho(camera, bold=True, nl=False)
    click.echo(f"  frame {event.seq if event.seq is not None else '?'} of {event.captured_at or 'an unknown time'}")
    click.echo(
        f"  {event.model_name}@{event.model_version}, {event.width}x{event.height}, {event.total_objects} objects"
    )
    for found in event.objects:
        box = ", ".join(f"{value:.0f}" for value in found.bbox)
        click.echo(f"  {found.class_:<16} {found.confidence:4.0%}  [{box}]")
