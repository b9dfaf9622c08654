"""Groups of commands that import a command when it is run, so that help and errors need none of them."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import click


class ReaderGone(Exception):
    """Whoever reads our output (head, less) has seen enough."""


@contextmanager
def _noticing_a_gone_reader() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:  # which click would make an exit with 1 of
        raise ReaderGone from error


class LazyGroup(click.Group):
    """Imports a command when it is run.

    Args:
        modules: Name → where it is (`module:attribute`) and what the group's `--help` says.
    """

    def __init__(self, *args: Any, modules: MutableMapping[str, tuple[str, str]], **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.modules = modules

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Notices a reader that has gone."""
        with _noticing_a_gone_reader():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Notices a reader that has gone."""
        with _noticing_a_gone_reader():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Names the nearest command where there is none of that name."""
        if args[0] not in self.modules and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.modules, n=1, cutoff=0.0)[0]
            raise click.UsageError(f"no such command: {args[0]}; did you mean {near}?", ctx)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of `modules`."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command."""
        if cmd_name not in self.modules:
            return None
        module_name, _, attribute = self.modules[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module_name), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.modules.items()])
