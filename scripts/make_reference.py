"""Writes the parts of docs/ that follow from the code: settings, commands, metrics, topics.

The text around them is written by hand and stays. Run it when a setting, an option or a metric changed; a test says
when it was forgotten:

    python scripts/make_reference.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vss.cli.main import COMMANDS, cli
from vss.config import ENV_DELIMITER, ENV_PREFIX, Settings
from vss.metrics import Metrics
from vss.schemas.headers import DEAD_LETTER_HEADERS, FRAME_HEADERS, READING_HEADERS, Header, event_headers_of
from vss.schemas.topics import CATALOGUE

DOCS = Path(__file__).parents[1] / "docs"
BEGIN = "<!-- Made by scripts/make_reference.py from here on; change the code, not this. -->"
END = "<!-- Until here. -->"
WIDTH = 100


def settings() -> str:
    """A table a section of `vss.toml`."""
    parts = []
    for table, section in Settings.model_fields.items():
        assert isinstance(section.annotation, type)  # noqa: S101 - a script of ours about a class of ours
        assert issubclass(section.annotation, BaseModel)  # noqa: S101 - as above
        rows = [
            (
                f"`{name}`",
                _kind(field),
                _shown(field.get_default(call_default_factory=True)),
                f"{field.description} `{ENV_PREFIX}{table.upper()}{ENV_DELIMITER}{name.upper()}`",
            )
            for name, field in section.annotation.model_fields.items()
        ]
        parts.append(f"## `[{table}]`\n\n{section.annotation.__doc__}\n")
        parts.append(_table(("setting", "value", "default", "what it says, and its variable"), rows))
    return "\n".join(parts)


def _kind(field: FieldInfo) -> str:
    limits = []
    for limit in field.metadata:
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            if (bound := getattr(limit, name, None)) is not None:
                limits.append(f"{sign} {bound}")
    return " ".join([_type(field.annotation), ", ".join(limits)]).strip()


def _type(annotation: Any) -> str:
    """What somebody has to write, in TOML's words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is dict:
        return "table"
    if origin is tuple:
        return "list of text"
    if arguments:  # a value or none
        return _type(next(argument for argument in arguments if argument is not type(None)))
    return {str: "text", Path: "path", int: "integer", float: "number", bool: "`true`, `false`"}[annotation]


def _shown(default: Any) -> str:
    if default is None or default == {}:
        return "–"
    if isinstance(default, str | Path):
        return f"`{default}`"
    return f"`{default:_}`" if isinstance(default, int) and default >= 10_000 else f"`{default}`"


def commands() -> str:
    """What `--help` prints, command by command."""
    parts = []
    root = click.Context(cli, info_name="vss")
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None  # noqa: S101 - it is in the table
        for path, one in _below(f"vss {name}", command):
            context = click.Context(one, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH)
            context.help_option_names = ["--help"]
            level = "##" if one is command else "###"
            parts.append(f"{level} `{path}`\n\n```text\n{one.get_help(context)}\n```\n")
    return "\n".join(parts)


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None  # noqa: S101 - the group has just named it
            yield from _below(f"{path} {name}", inner)


def metrics() -> str:
    """A table of every metric."""
    rows = []
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "–"
            rows.append((f"`{name}`", family.type, labels, family.documentation))
    return _table(("metric", "type", "labels", "what it counts"), rows)


def topics() -> str:
    """A table of the catalogue, and one of the headers of each kind of record."""
    rows = []
    for topic in CATALOGUE:
        payload = [f"`{topic.payload.__name__}`"] if topic.payload is not None else []
        value = ", ".join(payload + [f"`{content_type}`" for content_type in topic.content_types])
        hours = topic.retention_ms // 3_600_000
        days_or_hours = f"{hours // 24} days" if hours >= 24 else f"{hours} h"
        kept = days_or_hours if topic.retention_ms >= 0 else "the latest of a key"
        size = f"{topic.max_message_bytes >> 20} MiB"
        rows.append((f"`{topic.short}`", topic.summary, topic.key, value, str(topic.partitions), kept, size))
    parts = [
        "## Catalogue\n",
        _table(("topic", "a record is", "key", "value", "partitions", "kept for", "at most"), rows),
    ]
    for title, headers in (
        ("Headers of a frame", FRAME_HEADERS),
        ("Headers of a reading", READING_HEADERS),
        ("Headers of an event or note", event_headers_of("`vss.detection.v1` or `vss.shed.v1`")),
        ("Headers that a dead letter adds", DEAD_LETTER_HEADERS),
    ):
        lines = [(f"`{header.name}`", "yes" if header.always else "", _said(header)) for header in headers]
        parts += [f"\n## {title}\n", _table(("header", "always there", "what it says"), lines)]
    return "\n".join(parts)


def _said(header: Header) -> str:
    value = header.const or ""
    return f"{header.summary} {value if value.startswith('`') else f'`{value}`'}" if value else header.summary


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": settings,
    "cli.md": commands,
    "metrics.md": metrics,
    "topics.md": topics,
}


def renewed(page: str, text: str) -> str:
    """The page's text with its made part made anew.

    Raises:
        SystemExit: The page has lost the marks between which that part stands.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"docs/{page} has lost the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{PAGES[page]()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Renews every page and says which ones changed; with `--check` it only says which ones would, and returns 1."""
    changed = 0
    for page in PAGES:
        path = DOCS / page
        text = path.read_text()
        new = renewed(page, text)
        if new == text:
            continue
        changed += 1
        if "--check" in arguments:
            sys.stdout.write(f"docs/{page} is out of date; run `python scripts/make_reference.py`\n")
        else:
            path.write_text(new)
            sys.stdout.write(f"changed docs/{page}\n")
    return int(changed > 0 and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
