"""What `vss models compare` prints, for people and for machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vss.workers.offline.compare import Comparison, SideReport

_MOST_CLASSES = 6


def document(comparison: Comparison, saved: list[Path], required: float | None) -> dict[str, Any]:
    """All of it."""
    from vss.model_store.comparison.gate import agrees

    tally = comparison.tally
    passed = None if required is None else agrees(tally, required)
    return {
        "task": comparison.task,
        "frames": tally.pictures,
        "unreadable": comparison.unreadable,
        "agreement": tally.agreement,
        "identical_frames": tally.identical,
        "matched": tally.matched,
        "missed": tally.missed,
        "extra": tally.extra,
        "delta_confidence": {
            "mean": round(tally.mean_delta, 5),
            "mean_distance": round(tally.mean_distance, 5),
            "largest_distance": round(tally.largest_delta, 5),
        },
        "cpu_ratio": round(comparison.cpu_ratio, 4),
        "a": _side(comparison.a),
        "b": _side(comparison.b),
        "worst": [
            {"place": str(one.place), "agreement": round(one.difference.agreement, 4), "file": str(path)}
            for one, path in zip(comparison.worst, saved, strict=True)
        ],
        "required": required,
        "passed": passed,
    }


def show(comparison: Comparison, saved: list[Path]) -> None:
    """For people."""
    from rich.console import Console
    from rich.table import Table

    from vss.model_store.comparison.gate import shown

    tally, a, b = comparison.tally, comparison.a, comparison.b
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]agreement {shown(tally.agreement)}[/] on {tally.pictures} frames")
    console.print(f"  A is {a.label}, B is {b.label}")
    for line in _findings(comparison):
        console.print(f"  {line}", markup=False)  # names of classes are anybody's
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in ("", "A", "B", "B / A"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    table.add_row("CPU ms a frame", f"{a.cpu_ms:.2f}", f"{b.cpu_ms:.2f}", f"{comparison.cpu_ratio:.2f}")
    table.add_row("ms a frame", f"{a.wall_ms:.2f}", f"{b.wall_ms:.2f}", _ratio(a.wall_ms, b.wall_ms))
    if a.resident_bytes is not None and b.resident_bytes is not None:
        ours, theirs = a.resident_bytes, b.resident_bytes
        table.add_row("memory", _mb(ours), _mb(theirs), _ratio(ours, theirs))
    if a.failed or b.failed:
        table.add_row("frames it failed on", str(a.failed), str(b.failed), "")
    console.print()
    console.print(table)
    if saved:
        console.print("\nwhere they differ most, A left and B right:")
        for path, example in zip(saved, comparison.worst, strict=True):
            click.echo(f"  {path}  {example.place}")


def report_unreadable(comparison: Comparison) -> None:
    """Tells on stderr of frames that could not be looked at."""
    if not comparison.unreadable:
        return
    noun = "frame" if comparison.unreadable == 1 else "frames"
    click.secho(f"{comparison.unreadable} {noun} could not be looked at and count for neither:", fg="red", err=True)
    for bad in comparison.first_unreadable:
        click.echo(f"  {bad.place}: {bad.error}", err=True)
    if comparison.unreadable > len(comparison.first_unreadable):
        click.echo("  …", err=True)


def _findings(comparison: Comparison) -> list[str]:
    from vss.model_store.comparison.tasks import RESULTS
    from vss.model_store.tasks.registry import task_kind

    tally = comparison.tally
    deltas = (
        f"confidence of B less A's: {tally.mean_delta:+.3f} on average;"
        f" {tally.mean_distance:.3f} apart on average, {tally.largest_delta:.3f} at most"
    )
    comparing = task_kind(comparison.task).comparing or RESULTS
    lines = [comparing.tell(tally)]
    if comparing.confidences:
        lines.append(deltas)
    for side, other in ((comparison.a, "B"), (comparison.b, "A")):
        if side.own_classes:
            more = ", …" if len(side.own_classes) > _MOST_CLASSES else ""
            lines.append(f"{other} does not know: {', '.join(side.own_classes[:_MOST_CLASSES])}{more}")
    return lines


def _side(side: SideReport) -> dict[str, Any]:
    return {
        "name": side.name,
        "version": side.version,
        "providers": side.providers,
        "cpu_ms_a_frame": round(side.cpu_ms, 3),
        "ms_a_frame": round(side.wall_ms, 3),
        "model_ms_a_frame": round(side.model_ms, 3),
        "resident_bytes": side.resident_bytes,
        "device_bytes": side.device_bytes,
        "failed": side.failed,
        "own_classes": side.own_classes,
    }


def _ratio(ours: float, theirs: float) -> str:
    return f"{theirs / ours:.2f}" if ours > 0 else ""


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB"
