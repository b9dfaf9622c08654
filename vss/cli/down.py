"""`vss down`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vss.cli.folder_option import folder_option
from vss.local.fleet import LocalFleet

EXAMPLES = """\b
Example:
  vss down
  vss down --folder /var/lib/fleet
"""


@click.command(epilog=EXAMPLES)
@folder_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")
def down(folder: Path, as_json: bool) -> None:
    """Stop the local Kafka and Redis; their data stays for the next `vss up`."""
    fleet = LocalFleet(folder, owned=False)
    stopped = [server.name for server in fleet.status() if server.running]
    fleet.down()
    if as_json:
        click.echo(json.dumps({"stopped": stopped, "folder": str(fleet.folder)}))
    elif stopped:
        click.echo(f"stopped {' and '.join(stopped)}; the data stays in {fleet.folder}")
    else:
        click.echo(f"nothing was running in {fleet.folder}")
