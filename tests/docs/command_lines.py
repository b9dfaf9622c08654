"""Checks a written `vss …` against the commands without running it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from vss.cli.main import cli


def commands_below(name: str) -> Iterator[tuple[str, click.Command]]:
    """`vss NAME` and all below it, each with the words that call it."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, name
    yield from _walk(f"vss {name}", command)


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, name
            yield from _walk(f"{path} {name}", inner)


def words_of(line: str) -> list[str]:
    """The words of a shell's line up to a pipe, redirection, `&` or comment, without variables set before it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.wordchars += ":,@[]{}%+$"
    words: list[str] = []
    for word in lexer:
        if word and set(word) <= set("|&;<>()"):
            break
        words.append(word)
    while words and re.match(r"[A-Z_]+=", words[0]):
        del words[0]
    return words


def check(words: list[str]) -> None:
    """Looks up every subcommand, option and choice; files and cameras that are named need not be there.

    Args:
        words: What follows `vss`.

    Raises:
        click.ClickException: Something written there does not exist.
    """
    command: click.Command = cli
    context = click.Context(cli, info_name="vss")
    while True:
        values, left, _ = command.make_parser(context).parse_args(list(words))
        for parameter in command.params:
            value = values.get(parameter.name) if parameter.name else None
            if isinstance(value, str | list | tuple) and not isinstance(parameter.type, click.Path | click.File):
                parameter.type_cast_value(context, value)
        if not isinstance(command, click.Group):
            return
        if not left:
            if values.get("help") or command.invoke_without_command:
                return
            raise click.UsageError(f"{context.command_path} needs a command", context)
        name, inner, words = command.resolve_command(context, left)
        assert inner is not None
        command, context = inner, click.Context(inner, info_name=name, parent=context)
