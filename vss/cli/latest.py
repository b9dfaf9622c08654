"""`vss latest`."""

from __future__ import annotations

import click

from vss.cli.options import redis_options
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss latest gate
  vss latest gate --topic detections --json | jq .total_objects
  vss latest pump-1 --topic anomalies
  vss latest
"""


@click.command(epilog=EXAMPLES)
@click.argument("key", required=False, metavar="[CAMERA|SENSOR]")
@click.option("--topic", metavar="TOPIC", help="Show results of this topic only, such as detections or anomalies.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as they stand in Kafka, one a line.")
@redis_options
def latest(settings: Settings, key: str | None, topic: str | None, as_json: bool) -> None:
    """Show the latest result of a camera or sensor, from Redis; of all when none is named.

    `vss worker cache` keeps the results there. Exits with 1 when there is none.
    """
    from vss.cli.latest_report import report
    from vss.errors import ConfigError, VssError
    from vss.schemas.topics import result_topics
    from vss.workers.redis_view.reader import ResultView

    topics = [one for one in result_topics() if topic in (None, one.short)]
    if not topics:
        known = ", ".join(one.short for one in result_topics())
        raise ConfigError(f"no result topic {topic!r} in the catalogue", fix=f"choose of {known}")
    with ResultView.connect(settings.redis, topic_prefix=settings.kafka.topic_prefix) as view:
        found = [
            (name, seen, one)
            for one in topics
            for name in ([key] if key is not None else view.keys(one))
            if (seen := view.latest(name, one)) is not None
        ]
    if not found:
        whose = f"of {key}" if key is not None else "of any camera or sensor"
        raise VssError(
            f"there is no result {whose} from the last {settings.redis.ttl_s} s",
            fix="see whether `vss worker cache` and a worker that makes results run; `vss latest` alone lists all",
        )
    for name, seen, one in found:
        if as_json:
            click.echo(seen.value)
        else:
            report(name, seen, one)
