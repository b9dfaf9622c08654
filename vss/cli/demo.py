"""`vss demo`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vss.cli.numbers import FiniteRange

EXAMPLES = """\b
Example:
  vss demo
  vss demo --for 60 --video gate.mp4 --model yolov8n.onnx
  vss demo --for 10 --json | jq .capture_to_event_ms
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--for",
    "seconds",
    type=FiniteRange(min=1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long cameras and pump run; a fault starts at 55 % of it.",
)
@click.option(
    "--video", metavar="SOURCE", help="What both cameras show, as `vss camera` takes it.  [default: conveyors]"
)
@click.option("--model", metavar="NAME[@VERSION]|FILE", help="What both workers run.  [default: one for the conveyors]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="Gets the annotated picture and clip, the pump's chart, and the logs.",
)
@click.option(
    "--fps",
    type=FiniteRange(min=0.1),
    default=15.0,
    show_default=True,
    help="Frames a second of each camera, at most; less where the machine cannot keep up.",
)
@click.option(
    "--drain",
    "drain_s",
    type=FiniteRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the last frames may take once the cameras have stopped.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.pass_context
def demo(
    ctx: click.Context,
    seconds: float,
    video: str | None,
    model: str | None,
    out: Path,
    fps: float,
    drain_s: float,
    as_json: bool,
) -> None:
    """Run the whole fleet on this machine for a while and show what it does.

    A real Kafka, a real Redis, two cameras, two workers that detect, one that keeps the latest results in Redis, and a
    pump's sensor with a worker that has to notice when its bearing breaks: each a process of its own, none of which is
    left at the end. Ctrl-C ends it early, with its summary.

    Exits with 1 if any frame or reading has no outcome or more than one, if the fault was not flagged or something
    before it was, or if a process ended before its time.
    """
    import os

    from rich.console import Console

    from vss.clock import SystemClock
    from vss.demo.live import LineView, LiveView
    from vss.demo.run import Plan, run_demo
    from vss.demo.summary import print_summary
    from vss.logs import configure
    from vss.workers.service import stop_on_signals

    configure(level="DEBUG" if ctx.find_root().obj else "ERROR")
    console = Console(stderr=as_json)
    plan = Plan(seconds=seconds, folder=out, video=video, model=model, most_fps=fps, drain_s=drain_s)
    view = LiveView(console) if console.is_terminal else LineView(console)
    with stop_on_signals() as stop:
        summary = run_demo(
            plan,
            view,
            environ=os.environ,
            clock=SystemClock(),
            stop=stop,
            say=lambda what: console.print(f"[dim]{what} …[/dim]", highlight=False),
        )
    if as_json:
        click.echo(json.dumps(summary.document()))
    else:
        print_summary(summary, console)
    for problem in summary.problems:
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(problem, err=True)
    ctx.exit(0 if summary.holds else 1)
