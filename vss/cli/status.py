"""`vss status`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vss.cli.folder_option import folder_option
from vss.local.fleet import LocalFleet, ServerStatus

EXAMPLES = """\b
Example:
  vss status
  vss status --json | jq -r .kafka.address
"""


@click.command(epilog=EXAMPLES)
@folder_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")
@click.pass_context
def status(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """Show whether the local Kafka and Redis run, and where.

    Exits with 1 unless every server that was started in the folder answers.
    """
    servers = LocalFleet(folder, owned=False).status()
    if as_json:
        click.echo(json.dumps({server.name: _document(server) for server in servers}))
    else:
        for server in servers:
            click.echo(_line(server))
        if not any(server.running for server in servers):
            click.secho("# start them with `vss up`", dim=True, err=True)
    started = [server for server in servers if server.port is not None]
    ctx.exit(0 if started and all(server.answering for server in started) else 1)


def _document(server: ServerStatus) -> dict[str, str | int | bool | None]:
    return {
        "running": server.running,
        "answering": server.answering,
        "address": f"127.0.0.1:{server.port}" if server.running else None,
        "pid": server.pid,
        "log_file": str(server.log_file),
    }


def _line(server: ServerStatus) -> str:
    if not server.running:
        return f"{server.name}  {click.style('stopped', fg='red')}"
    state = click.style("running", fg="green") if server.answering else click.style("not answering", fg="yellow")
    return f"{server.name}  {state}  127.0.0.1:{server.port}  pid {server.pid}  log {server.log_file}"
