"""`vss infer`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vss.cli.model_options import cascade_options, picture_options
from vss.clock import SystemClock
from vss.config import Settings

if TYPE_CHECKING:
    from vss.workers.offline.infer import Found
    from vss.workers.offline.inputs import BadInput, InputFile
    from vss.workers.offline.lines import Summary

EXAMPLES = """\b
Example:
  vss infer yolov8n.onnx street.jpg
  vss infer gate@3 pictures/ --save annotated/ --conf 0.4
  vss infer gate clip.mp4 --every 25 --json | jq '.objects | length'
  vss infer gate street.jpg --then cars --then-classes car,truck --top-k 1
"""


@click.command(epilog=EXAMPLES)
@click.argument("model", metavar="NAME[@VERSION]|FILE")
@click.argument("inputs", metavar="INPUT…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a picture.")
@click.option("--every", type=click.IntRange(min=1), default=1, metavar="N", help="Take every Nth frame of a video.")
@click.option(
    "--save", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Write annotated copies there."
)
@cascade_options
@picture_options
def infer(
    settings: Settings,
    model: str,
    inputs: tuple[str, ...],
    as_json: bool,
    every: int,
    save: Path | None,
    then: str | None,
    then_classes: tuple[str, ...] | None,
) -> int:
    """Run a model on images, folders and videos, without Kafka: what the workers would find.

    What cannot be read is reported, the rest goes on, and the exit code is 1.
    """
    from vss.workers.offline import infer as offline
    from vss.workers.offline.annotate import Annotator
    from vss.workers.offline.inputs import BadInput, find_inputs, read_pictures
    from vss.workers.offline.models import open_models

    files = find_inputs(inputs, leave_out=save)
    clock = SystemClock()
    with Annotator(save, files) if save is not None else nullcontext() as annotator:
        task, server = open_models(settings.model, model, then=then, then_classes=then_classes)
        report = _Report(as_json, task)
        try:
            start_s = clock.monotonic()
            pictures = read_pictures(files, every=every, limits=settings.limits)
            with _progress(files, every) as advance:
                for result in offline.infer(pictures, server, task=task, keep_images=annotator is not None):
                    if isinstance(result, BadInput):
                        report.bad(result)
                    else:
                        if annotator is not None:
                            annotator.add(result)
                        report.found(result)
                    advance()
            report.end(clock.monotonic() - start_s, save)
        finally:
            server.close()
    return 1 if report.failures else 0


class _Report:
    """Prints results as they come: JSON lines, or a line for each image and each video."""

    def __init__(self, as_json: bool, task: str) -> None:
        self.failures = 0
        self._as_json = as_json
        self._task = task
        self._pictures = 0
        self._file: InputFile | None = None
        self._summary: Summary | None = None

    def found(self, found: Found) -> None:
        from vss.errors import InferenceFailed
        from vss.workers.offline.inputs import BadInput
        from vss.workers.offline.lines import Summary, json_line

        if self._as_json:
            try:
                line = json_line(found, self._task)
            except InferenceFailed as error:
                self.bad(BadInput(found.file, found.frame, error))
                return
            self._pictures += 1
            click.echo(line)
            return
        self._pictures += 1
        if self._summary is None or found.file is not self._file:
            self._end_file()
            self._file, self._summary = found.file, Summary(self._task)
        self._summary.add(found)

    def bad(self, bad: BadInput) -> None:
        self.failures += 1
        where = str(bad.file.path) if bad.file.is_image else f"{bad.file.path} frame {bad.frame}"
        message = str(bad.error)
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(message if str(bad.file.path) in message else f"{where}: {message}", err=True)
        if bad.error.fix:
            click.secho("fix:   ", fg="green", bold=True, nl=False, err=True)
            click.echo(bad.error.fix, err=True)

    def end(self, seconds: float, saved_to: Path | None) -> None:
        self._end_file()
        if self._as_json:
            return
        speed = f"{self._pictures / seconds:.1f} a second" if seconds > 0 else ""
        failed = click.style(f", {self.failures} could not be read", fg="red") if self.failures else ""
        saved = f"; annotated copies are in {saved_to}" if saved_to is not None and self._pictures else ""
        noun = "picture" if self._pictures == 1 else "pictures"
        click.echo(f"{self._pictures} {noun} in {seconds:.1f} s, {speed}{failed}{saved}", err=True)

    def _end_file(self) -> None:
        if self._summary is not None:
            click.echo(self._summary.line())
            self._summary = None


@contextmanager
def _progress(files: Sequence[InputFile], every: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from vss.workers.offline.inputs import count_pictures

    counts = [count_pictures(file, every) for file in files]
    total = None if None in counts else sum(count or 0 for count in counts)
    speed = TextColumn("{task.fields[speed]}")
    columns = (TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
    # Results go to stdout as they are when it is no terminal; on one they have to pass above the bar.
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=sys.stdout.isatty()) as progress:
        task = progress.add_task("", total=total, speed="")

        def advance() -> None:
            progress.advance(task)
            per_s = progress.tasks[0].speed
            progress.update(task, speed=f"{per_s:.0f}/s" if per_s else "")

        yield advance
