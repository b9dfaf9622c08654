"""`vss bench … --json` as a test calls it."""

from __future__ import annotations

import json

from click.testing import CliRunner

from vss.cli.bench.group import bench


def run(*arguments: object) -> dict[str, object]:
    """What the bench measured."""
    result = CliRunner().invoke(bench, [str(a) for a in arguments] + ["--json"], catch_exceptions=False)
    assert result.exit_code == 0
    document: dict[str, object] = json.loads(result.stdout)
    return document
