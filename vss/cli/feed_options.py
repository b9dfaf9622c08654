"""The options that `vss camera` and `vss sensor` share: many in one process, metrics, the cluster, the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from vss.workers.ingest.process import Kind

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C")

_SHARED = ("feeds_file", "metrics_port", "bootstrap_servers", "settings_file", "as_json")


def feed_options(role: str) -> Callable[[F], F]:
    """Adds the options, in the order in which `--help` shows them last.

    Args:
        role: `camera` or `sensor`.
    """

    def decorate(command: F) -> F:
        for option in reversed(
            (
                click.option(
                    "--config",
                    "feeds_file",
                    type=click.Path(dir_okay=False, path_type=Path),
                    help=f"Many {role}s in one process: [[{role}]] tables with these options; flags hold for all that"
                    " say nothing else.",
                ),
                click.option(
                    "--metrics-port", type=click.IntRange(0, 65535), help="Serve /metrics here; 0 picks a free port."
                ),
                click.option("--bootstrap-servers", metavar="HOST:PORT,…", help="Kafka brokers."),
                click.option(
                    "--settings",
                    "settings_file",
                    type=click.Path(path_type=Path),
                    envvar="VSS_CONFIG",
                    help="vss.toml.",
                ),
                click.option("--json", "as_json", is_flag=True, help=f"Print one JSON object a {role} at the end."),
            )
        ):
            command = option(command)
        return command

    return decorate


def run_command(
    kind: Kind[Any, Any],
    given: Mapping[str, Any],
    *,
    id: str | None,  # noqa: A002 - the argument's name in the help
    source: str | None,
    one: Callable[[dict[str, Any]], Any],
    many: Callable[[Path, dict[str, Any]], Sequence[Any]],
    example: str,
    items: str,
) -> None:
    """Runs what the command line says, and ends the command with its report.

    Args:
        kind: Cameras, or sensors.
        given: The options, those of `feed_options` among them.
        id: The argument.
        source: The argument.
        one: Makes the configuration of one.
        many: Reads those of a file, with what holds for all that say nothing else.
        example: A command that works.
        items: What is published: `frames`, `readings`.

    Raises:
        ConfigError: The arguments name neither one nor many.
        Exception: Why the only one failed.
    """
    from vss.cli.feed_reports import print_reports
    from vss.cli.options import nested, settings_with
    from vss.errors import ConfigError
    from vss.logs import configure, get_logger
    from vss.metrics import Metrics
    from vss.workers.ingest.process import run_feeds

    configure(level="DEBUG" if click.get_current_context().find_root().obj else "INFO")
    values = {name: value for name, value in given.items() if name not in _SHARED and value is not None}
    file = given["feeds_file"]
    if file is not None and id is None:
        configs = many(file, values)
    elif file is None and id is not None and source is not None:
        configs = [one({"id": id, "source": source, **values})]
    else:
        raise ConfigError(f"name one {kind.role} by ID and SOURCE, or many by --config", fix=f"for example: {example}")
    settings = settings_with(given["settings_file"], nested({"kafka.bootstrap_servers": given["bootstrap_servers"]}))
    reports = run_feeds(
        kind,
        configs,
        settings=settings,
        metrics=Metrics(),
        metrics_port=given["metrics_port"],
        logger=get_logger(kind.role),
    )
    print_reports(reports, role=kind.role, items=items, as_json=given["as_json"])
