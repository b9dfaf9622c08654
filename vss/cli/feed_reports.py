"""How cameras and sensors say how they ended."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from vss.workers.ingest.feed import FeedReport


def print_reports(reports: Sequence[FeedReport], *, role: str, items: str, as_json: bool) -> None:
    """Prints a line a feed and ends the command with the worst one's exit code.

    Args:
        reports: How each ended.
        role: `camera` or `sensor`.
        items: What it published: `frames`, `readings`.
        as_json: One JSON object a feed instead.

    Raises:
        Exception: Why the only feed failed.
    """
    for report in reports:
        tally = report.tally
        if as_json:
            document = {
                role: report.id,
                "state": report.state.value,
                "captured": tally.captured,
                "published": tally.published,
                "dropped": tally.dropped,
                "error": str(report.error) if report.error is not None else None,
            }
            click.echo(json.dumps(document))
        else:
            # What was up or away until somebody ended it is neither now.
            ended = {"up": "stopped", "down": "stopped while its source was away"}.get(
                report.state.value, report.state.value
            )
            dropped = ", ".join(f"{count} dropped ({reason})" for reason, count in sorted(tally.dropped.items()))
            click.echo(
                f"{report.id}: {ended}, {tally.captured} {items} captured, {tally.published} published"
                + (f", {dropped}" if dropped else "")
            )
    if len(reports) == 1 and reports[0].error is not None:
        raise reports[0].error
    click.get_current_context().exit(max(report.exit_code for report in reports))
