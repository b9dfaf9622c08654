"""What benches of workers print: each round as it ends, then a table, or all of it as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vss.bench.pictures import PictureBench, Round


def show_round(done: Round) -> None:
    """A line on stderr."""
    click.secho(
        f"# worker {done.worker.cpu_s * 1000:.2f} ms CPU a frame, model alone {done.raw.cpu_s * 1000:.2f}:"
        f" {done.cpu_ratio:.3f}",
        dim=True,
        err=True,
    )


def document(report: PictureBench) -> dict[str, Any]:
    """For machines."""
    return {
        "model": report.model,
        "version": report.version,
        **report.facts,
        "providers": report.providers,
        "threads": report.threads,
        "image": {"width": report.width, "height": report.height, "jpeg_bytes": report.jpeg_bytes},
        "frames": report.frames,
        "distinct_frames": report.distinct_frames,
        "cpu_ratio": round(report.cpu_ratio, 4),
        "speed_ratio": round(report.speed_ratio, 4),
        "raw": {
            "cpu_ms_a_frame": round(report.raw_cpu_ms, 3),
            "frames_a_second": round(report.raw_frames_a_second, 2),
        },
        "worker": {
            "cpu_ms_a_frame": round(report.worker_cpu_ms, 3),
            "frames_a_second": round(report.worker_frames_a_second, 2),
            "frames_a_transaction": round(report.frames_a_transaction, 1),
            "committed_events": report.events,
        },
        "stage_ms_a_frame": {name: round(ms, 3) for name, ms in report.stages.items()},
        "rounds": [{"cpu_ratio": round(r.cpu_ratio, 4), "speed_ratio": round(r.speed_ratio, 4)} for r in report.rounds],
    }


def show(report: PictureBench, *, as_json: bool) -> None:
    """Prints it."""
    if as_json:
        click.echo(json.dumps(document(report), indent=2))
    else:
        _show_table(report)


def _show_table(report: PictureBench) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(
        title=f"{report.model} ({_facts(report)}), {report.width}×{report.height} JPEG of"
        f" {report.jpeg_bytes / 1000:.0f} kB, {len(report.rounds)} rounds of {report.frames} frames",
    )
    for column in ("", "model alone", "worker", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row(
        "CPU ms a frame", f"{report.raw_cpu_ms:.2f}", f"{report.worker_cpu_ms:.2f}", f"[bold]{report.cpu_ratio:.3f}"
    )
    table.add_row(
        "frames/s",
        f"{report.raw_frames_a_second:.1f}",
        f"{report.worker_frames_a_second:.1f}",
        f"{report.speed_ratio:.3f}",
    )
    console.print(table)
    console.print("ms a frame by stage: " + ", ".join(f"{name} {ms:.2f}" for name, ms in report.stages.items()))
    console.print(
        f"{report.events} events committed and read back, {report.frames_a_transaction:.0f} a transaction;"
        f" {report.threads} threads on {report.providers[0]}"
    )


def _facts(report: PictureBench) -> str:
    return ", ".join(value if name == "head" else f"{name} {value}" for name, value in report.facts.items())
