"""`vss doctor`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vss.cli.folder_option import folder_option
from vss.cli.options import fleet_and_redis_options
from vss.config import Settings

if TYPE_CHECKING:
    from vss.workers.checks.doctor import Check, Finding

EXAMPLES = """\b
Example:
  vss doctor
  vss doctor --model yolov8n.onnx
  vss doctor --json | jq '.checks[] | select(.state == "failed") | .fix'
"""
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "bright_black"}


@click.command(epilog=EXAMPLES)
@click.option("--model", metavar="NAME[@VERSION]|FILE", help="Load this model as well.")
@folder_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")
@fleet_and_redis_options
@click.pass_context
def doctor(ctx: click.Context, settings: Settings, model: str | None, folder: Path, as_json: bool) -> None:
    """Check broker, topics, Redis, runtime and model, and name the fix of each failure.

    Exits with 1 when a check failed; a warning is no failure.
    """
    import dataclasses

    from vss.workers.checks.doctor import State, examine
    from vss.workers.checks.doctor_checks import fleet_checks

    findings: list[Finding] = []
    checks = fleet_checks(settings, folder=folder, model=model, local=_is_local(settings, folder))
    for finding in examine([*checks, *_local_checks()]):
        findings.append(finding)
        if not as_json:
            _print(finding)
    healthy = all(finding.state is not State.FAILED for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": healthy, "checks": [dataclasses.asdict(finding) for finding in findings]}))
    ctx.exit(0 if healthy else 1)


def _is_local(settings: Settings, folder: Path) -> bool:
    """Whether the broker is the one that `vss up` started in the folder."""
    from vss.errors import LocalError
    from vss.local.state import read_state

    try:
        return read_state(folder).addresses().bootstrap_servers == settings.kafka.bootstrap_servers
    except LocalError:
        return False


def _local_checks() -> list[Check]:
    """What `vss up` needs; a fleet on a cluster of its own can do without."""
    from vss.errors import LocalError
    from vss.local.programs import find_java, find_redis
    from vss.workers.checks.doctor import Check, Doubt

    def java() -> str:
        try:
            return str(find_java(os.environ))
        except LocalError as error:
            raise Doubt(f"`vss up` cannot start Kafka: {error}", fix=error.fix) from error

    def redis_server() -> str:
        try:
            return str(find_redis(os.environ))
        except LocalError as error:
            raise Doubt(f"`vss up` cannot start Redis: {error}", fix=error.fix) from error

    return [Check("local java", java), Check("local redis", redis_server)]


def _print(finding: Finding) -> None:
    click.secho(f"{finding.state.value:<8}", fg=_COLOURS[finding.state.value], nl=False)
    click.echo(f" {finding.name:<12} {finding.detail}")
    if finding.fix:
        click.echo(f"{'':<9}fix: {finding.fix}")
