"""Numbers of flags: `nan` fits every range, and a gate of `nan` would let everything pass."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from vss.cli.main import cli


def _ranges(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _ranges(found, (*path, name))
    for option in command.params:
        if isinstance(option.type, click.FloatRange):
            yield path, option.opts[0]


RANGES = list(_ranges(cli))


def test_there_are_some() -> None:
    assert (("models", "activate"), "--require") in RANGES


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    ("path", "option"), RANGES, ids=lambda part: " ".join(part) if isinstance(part, tuple) else part
)
def test_what_is_no_finite_number_is_refused(path: tuple[str, ...], option: str, number: str) -> None:
    result = CliRunner().invoke(cli, [*path, option, number])
    assert result.exit_code == 2
    assert option in result.output
