"""Flags of `vss models activate` and `rollback` that no activation could hold, refused before a broker is asked."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from vss.cli.main import cli


@pytest.mark.parametrize("command", [("activate", "gate", "1"), ("rollback", "gate")])
def test_a_reason_is_a_sentence_and_no_book(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, ["models", *command, "--reason", "x" * 501])
    assert result.exit_code == 2
    assert "has 501 characters, and may have 500" in " ".join(result.stderr.split())


@pytest.mark.parametrize("count", ["0", "1000001"])
def test_a_version_is_judged_after_a_number_of_records_that_comes(count: str) -> None:
    result = CliRunner().invoke(cli, ["models", "activate", "gate", "1", "--min-requests", count])
    assert result.exit_code == 2
    assert "1<=x<=1000000" in result.stderr
