"""`vss tail`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from vss.cli.options import fleet_options
from vss.config import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vss.schemas.envelope import Record
    from vss.schemas.topics import Topic

EXAMPLES = """\b
Example:
  vss tail detections
  vss tail anomalies
  vss tail dlq --from-beginning
  vss tail model-events --from-beginning
  vss tail detections --json -n 100 | jq .value.total_objects
"""


@click.command(epilog=EXAMPLES)
@click.argument("topic", metavar="TOPIC")
@click.option("--from-beginning", is_flag=True, help="Start with the oldest record, not with the next new one.")
@click.option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="Stop after N records.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line for machines.")
@fleet_options
def tail(settings: Settings, topic: str, from_beginning: bool, number: int | None, as_json: bool) -> None:
    """Follow a topic: frames, detections, telemetry, anomalies, model-events, shed, dlq, ….

    Joins no consumer group and commits nothing, so it disturbs no worker. Shows what is committed. Of a frame it shows
    the headers and the size, of a dead letter the reason.
    """
    from vss.schemas.topics import CATALOGUE
    from vss.streams.log_reader import LogReader

    known = {entry.short: entry for entry in CATALOGUE}
    if topic not in known:
        from vss.errors import ConfigError

        raise ConfigError(f"no topic {topic!r} in the catalogue", fix=f"choose of {', '.join(known)}")
    show = _json_lines(known[topic]) if as_json else _table(known[topic])
    shown = 0
    with LogReader(settings.kafka) as reader:
        spans = reader.spans([known[topic].name(settings.kafka.topic_prefix)])
        starts = {p: span.low if from_beginning else span.end for p, span in spans.items()}
        if all(starts[p] >= span.end for p, span in spans.items()):
            _say_what_is_waited_for(known[topic].name(settings.kafka.topic_prefix), from_beginning=from_beginning)
        for records in reader.follow(starts):
            chosen = records if number is None else records[: number - shown]
            if chosen:
                show(chosen)
                shown += len(chosen)
            if shown == number:
                return


def _say_what_is_waited_for(name: str, *, from_beginning: bool) -> None:
    """Tells a person, who would otherwise look at nothing, that nothing has come yet."""
    if sys.stderr.isatty():
        older = "" if from_beginning else "; --from-beginning shows what is there already"
        click.secho(f"# waiting for new records in {name}{older}", dim=True, err=True)


def _json_lines(topic: Topic) -> Callable[[Sequence[Record]], None]:
    import orjson

    from vss.workers.record_rows import document

    def show(records: Sequence[Record]) -> None:
        for record in records:
            click.echo(orjson.dumps(document(record, topic)))

    return show


def _table(topic: Topic) -> Callable[[Sequence[Record]], None]:
    """Lines in columns. None is cut: the reason of a dead letter stands last, and may be long."""
    from datetime import datetime

    from vss.workers.record_rows import columns_of, row

    columns = columns_of(topic)
    headed = False

    def line(cells: Sequence[str]) -> str:
        padded = (_padded(cell, width) for cell, width in zip(cells, (*columns.widths, 0), strict=True))
        return "  ".join(padded).rstrip()

    def show(records: Sequence[Record]) -> None:
        nonlocal headed
        if not headed:
            headed = True
            click.secho(line(columns.names), bold=True)
        today = datetime.now().astimezone().date()
        for record in records:
            click.echo(line(row(record, columns, today=today)))

    return show


def _padded(text: str, width: int) -> str:
    from rich.cells import cell_len

    return text + " " * max(0, width - cell_len(text))
