"""`vss up`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from vss.cli.folder_option import folder_option
from vss.local.fleet import LocalFleet

EXAMPLES = """\b
Example:
  vss up
  vss up --folder /var/lib/fleet --only kafka
  eval "$(vss up)" && python my_consumer.py
"""


@click.command(epilog=EXAMPLES)
@folder_option
@click.option("--only", type=click.Choice(["kafka", "redis"]), help="Start this one alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")
def up(folder: Path, only: str | None, as_json: bool) -> None:
    """Start a local Kafka and Redis, which stay until `vss down`.

    Other commands run from the same directory find them by themselves. What is printed can be read by a shell, for
    programs that only know the environment. The first start fetches Kafka (45 MB) into the user's cache; set
    VSS_MAVEN_MIRROR to take it from elsewhere.
    """
    start_s = time.monotonic()
    fleet = LocalFleet(folder, owned=False)
    addresses = fleet.up(kafka=only != "redis", redis=only != "kafka")
    if as_json:
        document = {
            "bootstrap_servers": addresses.bootstrap_servers or None,
            "redis_url": addresses.redis_url or None,
            "folder": str(fleet.folder),
        }
        click.echo(json.dumps(document))
        return
    click.secho(f"# ready after {time.monotonic() - start_s:.1f} s; data and logs in {fleet.folder}", dim=True)
    if addresses.bootstrap_servers:
        click.echo(f"export VSS_KAFKA__BOOTSTRAP_SERVERS={addresses.bootstrap_servers}")
    if addresses.redis_url:
        click.echo(f"export VSS_REDIS__URL={addresses.redis_url}")
    click.secho("# stop with `vss down`, look with `vss status`", dim=True)
