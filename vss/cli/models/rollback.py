"""`vss models rollback`."""

from __future__ import annotations

import click

from vss.cli.model_options import fleet_store_options
from vss.cli.models.activation_report import carry_out, reason_option, wait_option
from vss.cli.models.report import as_json_option
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss models rollback gate
  vss models rollback gate --reason "misses forklifts" --wait 60
"""


@click.command(epilog=EXAMPLES, short_help="Go back to the version that served before.")
@click.argument("name")
@reason_option
@wait_option
@as_json_option
@fleet_store_options
def rollback(settings: Settings, name: str, reason: str, wait_s: float | None, as_json: bool) -> None:
    """Go back to the version that served before; once more, to the one before that.

    A canary under way is ended. A version that broke its limits has been left already: then this only settles it.
    """
    from vss.workers.activation.operator import prepare_rollback

    carry_out(settings, prepare_rollback(settings, name, reason=reason), wait_s=wait_s, as_json=as_json)
