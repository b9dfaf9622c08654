"""What a demo came to, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vss.demo.pump.verdict import PumpResult
from vss.workers.checks.audit import AuditReport


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """One worker.

    Attributes:
        frames: With an outcome.
        fps: Of them a second, from when everything ran until the last frame was done.
    """

    name: str
    frames: int
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A whole demo.

    Attributes:
        seconds: That the cameras ran.
        frames: In Kafka.
        missing: Frames without an outcome.
        doubled: Frames with more than one.
        p50_ms: Of capture to event: until a reader of committed events had it, for frames captured once everything
            ran; None when there was none.
        p95_ms: The same.
        camera_fps: What each camera was asked for.
        objects: Found in all frames, by class.
        kept: Whether there were frames, and each has exactly one outcome.
        pump: What became of the pump.
        pump_picture: Its readings and scores over time.
        problems: Everything that should not have happened, in sentences.
    """

    seconds: float
    cameras: tuple[str, ...]
    camera_fps: float
    model: str
    frames: int
    events: int
    shed: int
    dead_letters: int
    missing: int
    doubled: int
    kept: bool
    p50_ms: float | None
    p95_ms: float | None
    workers: tuple[WorkerResult, ...]
    objects: tuple[tuple[str, int], ...]
    picture: Path | None
    clip: Path | None
    logs: Path
    pump: PumpResult
    pump_picture: Path | None
    problems: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """Whether the promise was kept and nothing else went wrong."""
        return self.kept and not self.problems

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "holds": self.holds,
            "seconds": round(self.seconds, 1),
            "cameras": list(self.cameras),
            "camera_fps": self.camera_fps,
            "model": self.model,
            "frames": self.frames,
            "events": self.events,
            "shed": self.shed,
            "dead_letters": self.dead_letters,
            "missing": self.missing,
            "doubled": self.doubled,
            "every_frame_has_one_outcome": self.kept,
            "capture_to_event_ms": {"p50": _rounded(self.p50_ms), "p95": _rounded(self.p95_ms)},
            "workers": [{"name": w.name, "frames": w.frames, "fps": round(w.fps, 1)} for w in self.workers],
            "objects": dict(self.objects),
            "picture": str(self.picture) if self.picture is not None else None,
            "clip": str(self.clip) if self.clip is not None else None,
            "pump": self.pump.document(),
            "pump_picture": str(self.pump_picture) if self.pump_picture is not None else None,
            "logs": str(self.logs),
            "problems": list(self.problems),
        }


def problems_of(report: AuditReport) -> list[str]:
    """What an audit found wrong, in sentences."""
    found = []
    if report.records == 0:
        found.append("no camera published a frame")
    if report.missing:
        at = report.first_missing[0]
        found.append(
            f"{report.missing} of {report.records} frames have no outcome, the first at "
            f"{at.topic}[{at.partition}]@{at.offset}"
        )
    if report.doubled:
        found.append(f"{report.doubled} frames have more than one outcome")
    if report.stray:
        found.append(f"{report.stray} outcomes belong to no frame")
    return found


def print_summary(summary: Summary, console: Console) -> None:
    """Prints it for people."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    cameras = f"{len(summary.cameras)} cameras at {summary.camera_fps:g} frames/s"
    table.add_row("frames in", Text(f"{summary.frames}  ({cameras})"))
    table.add_row("events out", Text(str(summary.events)))
    table.add_row("dead letters", Text(str(summary.dead_letters), style="red" if summary.dead_letters else ""))
    if summary.shed:
        table.add_row("shed", Text(str(summary.shed)))
    if summary.missing or summary.doubled:
        table.add_row("no outcome", Text(str(summary.missing), style="red"))
        table.add_row("doubled", Text(str(summary.doubled), style="red"))
    if summary.p50_ms is not None and summary.p95_ms is not None:
        latency = Text(f"p50 {summary.p50_ms:.0f} ms, p95 {summary.p95_ms:.0f} ms")
        table.add_row("capture to event", latency)
    for worker in summary.workers:
        table.add_row(worker.name, Text(f"{worker.fps:.1f} frames/s  ({worker.frames})"))
    objects = ", ".join(f"{count} {name}" for name, count in summary.objects[:8])
    table.add_row("found", Text(objects or "nothing"))
    for title, text in _pump_rows(summary.pump):
        table.add_row(title, text)
    paths = (summary.picture, summary.clip, summary.pump_picture, summary.logs)
    for name, path in zip(("picture", "clip", "pump", "logs"), paths, strict=True):
        if path is not None:
            table.add_row(name, Text(str(_short(path)), style="cyan", overflow="fold"))
    console.print(Text(f"After {summary.seconds:.0f} s with {summary.model}", style="bold"))
    console.print(table)
    if summary.kept:
        console.print(Text("Every frame has exactly one outcome.", style="bold green"))
    if summary.pump.kept:
        console.print(Text("Every reading has exactly one outcome.", style="bold green"))


def _pump_rows(pump: PumpResult) -> list[tuple[str, Text]]:
    outcomes = f"{pump.events} anomaly events, {pump.taken} taken into windows"
    if pump.left_out:
        outcomes += f", {pump.left_out} left out"
    rows = [("readings in", Text(f"{pump.readings}  ({outcomes})"))]
    if pump.false_alarms:
        rows.append(("false alarms", Text(f"{pump.false_alarms} of {pump.normal_windows} windows", style="red")))
    if pump.fault_s is None:
        rows.append(("bearing fault", Text("none: the demo ended before it")))
    elif pump.flagged_after_s is not None:
        flagged_s = pump.fault_s + pump.flagged_after_s
        said = f"at {pump.fault_s:.1f} s, flagged at {flagged_s:.1f} s (+{pump.flagged_after_s:.1f} s)"
        rows.append(("bearing fault", Text(f"{said}, {pump.severity} in the end", style="bold")))
        affected = ", ".join(f"{feature} {share:.0%}" for feature, share in pump.affected[:3])
        rows.append(("affected", Text(affected)))
    else:
        why = "not flagged" if pump.judged else "not flagged yet when the demo ended"
        rows.append(("bearing fault", Text(f"at {pump.fault_s:.1f} s, {why}", style="red" if pump.judged else "")))
    return rows


def _short(path: Path) -> Path:
    """As seen from the working folder, where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _rounded(value: float | None) -> float | None:
    return round(value, 1) if value is not None else None
