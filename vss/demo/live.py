"""The demo while it runs: a view that changes in place on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vss.demo.board import Snapshot, WorkerState, percentile
from vss.demo.pump import UNITS
from vss.demo.pump.watch import PumpState

_BLOCKS = "▁▂▃▄▅▆▇█"
_LINE_EVERY_S = 5.0
_SEVERITY_STYLES = {"none": "green", "low": "yellow", "medium": "yellow", "high": "bold red", "critical": "bold red"}


class View(Protocol):
    """Shows the demo. A context manager."""

    def __enter__(self) -> View:
        """Begins."""

    def __exit__(self, *_: object) -> None:
        """Leaves the screen to others."""

    def show(self, snapshot: Snapshot) -> None:
        """Called several times a second."""


class LiveView:
    """Redraws in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, snapshot: Snapshot) -> None:
        """See `View.show`."""
        self._live.update(render(snapshot), refresh=True)


class LineView:
    """Prints a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._due_s = _LINE_EVERY_S
        self._phase = ""

    def __enter__(self) -> LineView:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to leave."""

    def show(self, snapshot: Snapshot) -> None:
        """See `View.show`."""
        changed = self._phase not in ("", snapshot.phase)
        self._phase = snapshot.phase
        if changed or snapshot.elapsed_s >= self._due_s:
            self._due_s = snapshot.elapsed_s + _LINE_EVERY_S
            self._console.print(as_line(snapshot), highlight=False, soft_wrap=True)


def as_line(snapshot: Snapshot) -> str:
    """The whole in one line."""
    seen = snapshot.seen
    workers = ", ".join(f"{w.name} {w.fps:.1f}/s" if w.alive else f"{w.name} gone" for w in snapshot.workers)
    return (
        f"{snapshot.elapsed_s:4.0f} s  {snapshot.phase}: {seen.frames} frames, {seen.events} events, "
        f"{snapshot.waiting} waiting, {seen.dead_letters} dead letters; "
        f"latency p50 {_ms(percentile(seen.latencies_ms, 0.5))}, p95 {_ms(percentile(seen.latencies_ms, 0.95))}; "
        f"{workers}; view {_ages(snapshot.view_ages_ms)} old; {_pump_in_short(seen.pump)}"
    )


def _pump_in_short(pump: PumpState) -> str:
    vibration = dict(pump.values).get("vibration")
    if vibration is None or pump.last is None:
        return f"pump {pump.readings} readings"
    state = "normal" if not pump.last.is_anomaly else f"anomaly, {pump.last.severity}"
    return f"pump {vibration:.2f} mm/s, score {pump.last.anomaly_score / pump.last.threshold:.2f} ({state})"


def render(snapshot: Snapshot) -> RenderableType:
    """The whole as a screen."""
    head = Table.grid(expand=True, padding=(0, 2))
    head.add_column(no_wrap=True)
    head.add_column(ratio=1)
    head.add_column(justify="right", no_wrap=True)
    done = min(snapshot.elapsed_s, snapshot.limit_s)
    head.add_row(
        Text("vss demo", style="bold"),
        ProgressBar(total=max(snapshot.limit_s, 0.001), completed=done, complete_style="green"),
        Text(f"{snapshot.phase}  {done:.0f} of {snapshot.limit_s:.0f} s", style="dim"),
    )
    gap = Text("")
    return Group(
        head,
        gap,
        _cameras(snapshot),
        gap,
        _workers(snapshot.workers),
        gap,
        _pump(snapshot.seen.pump),
        _score(snapshot.seen.pump),
        gap,
        _outcomes(snapshot),
    )


def _cameras(snapshot: Snapshot) -> Table:
    table = _table("camera", "frames", "fps", "events", "Redis age", "sees now")
    for camera, age_ms in zip(snapshot.seen.cameras, snapshot.view_ages_ms, strict=True):
        objects = ", ".join(f"{count} {name}" for name, count in camera.objects)
        table.add_row(
            Text(camera.name, style="cyan"),
            str(camera.frames),
            f"{camera.fps:.1f}",
            str(camera.events),
            _ms(age_ms),
            Text(objects or "nothing", style="" if objects else "dim", overflow="ellipsis", no_wrap=True),
        )
    return table


def _workers(workers: Sequence[WorkerState]) -> Table:
    table = _table("worker", "frames", "fps", "partitions", "model", "process")
    for worker in workers:
        state = Text(str(worker.pid), style="dim") if worker.alive else Text("gone", style="bold red")
        model = _ms(worker.model_ms, places=1)
        table.add_row(
            Text(worker.name, style="magenta"),
            str(worker.frames),
            f"{worker.fps:.1f}",
            str(worker.partitions),
            model,
            state,
        )
    return table


def _pump(pump: PumpState) -> Table:
    """Its newest reading."""
    table = _table("pump", "readings", *UNITS.values())
    values = dict(pump.values)
    measured = [f"{values[feature]:.2f}" if feature in values else "–" for feature in UNITS]
    table.add_row(Text("pump", style="blue"), str(pump.readings), *measured)
    return table


def _score(pump: PumpState) -> Text:
    """How unlike normal the pump is; the threshold is 1."""
    text = Text("anomaly score     ")
    if pump.last is None:
        return text.append("–", style="dim")
    style = _SEVERITY_STYLES[pump.last.severity]
    shares = [score / pump.last.threshold for score in pump.scores]
    text.append(f"{shares[-1]:.2f} of 1  {pump.last.severity if pump.last.is_anomaly else 'normal'}", style=style)
    text.append("  ")
    # Against twice the threshold at least, so that a calm pump looks calm.
    text.append(sparkline(shares, least=2.0), style=style)
    if pump.last.affected_features:
        most = pump.last.affected_features[0]
        text.append(f"  {most.feature} {most.share:.0%}", style="dim")
    return text


def _outcomes(snapshot: Snapshot) -> Text:
    seen = snapshot.seen
    text = Text("capture to event  ")
    text.append(f"p50 {_ms(percentile(seen.latencies_ms, 0.5))}", style="bold green")
    text.append("  ")
    text.append(f"p95 {_ms(percentile(seen.latencies_ms, 0.95))}", style="bold")
    text.append("  ")
    text.append(sparkline(snapshot.history_ms), style="green")
    text.append("\nwaiting ")
    text.append(str(snapshot.waiting), style="bold yellow" if snapshot.waiting > 50 else "bold")
    text.append("   dead letters ")
    text.append(str(seen.dead_letters), style="bold red" if seen.dead_letters else "bold")
    text.append("   shed ")
    text.append(str(seen.shed), style="bold")
    text.append("   Ctrl-C ends early\n", style="dim")
    return text


def _table(*names: str) -> Table:
    table = Table(
        box=SIMPLE_HEAD, expand=True, header_style="dim", padding=(0, 2, 0, 0), collapse_padding=True, show_edge=False
    )
    table.add_column(names[0], min_width=11, no_wrap=True)
    for name in names[1:-1]:
        table.add_column(name, justify="right", min_width=6, no_wrap=True)
    table.add_column(names[-1], ratio=1, no_wrap=True)
    return table


def sparkline(values: Sequence[float], least: float = 1e-9) -> str:
    """Values as blocks between nothing and the largest, or `least` where that is more."""
    if not values:
        return ""
    highest = max(*values, least)
    return "".join(_BLOCKS[min(len(_BLOCKS) - 1, int(value / highest * len(_BLOCKS)))] for value in values)


def _ages(ages_ms: Sequence[float | None]) -> str:
    known = [age for age in ages_ms if age is not None]
    return _ms(max(known)) if known else "–"


def _ms(value: float | None, places: int = 0) -> str:
    if value is None:
        return "–"
    return f"{value:.{places}f} ms" if value < 10_000 else f"{value / 1000:.1f} s"
