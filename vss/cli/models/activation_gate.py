"""`--require` of `vss models activate`: a version has to agree with the one that serves before it may."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from vss.cli.models.comparison_report import report_unreadable
from vss.cli.models.frame_options import FrameChoice, counted
from vss.cli.numbers import FiniteRange
from vss.cli.progress import progress
from vss.config import Settings
from vss.errors import ConfigError

if TYPE_CHECKING:
    from vss.workers.offline.compare import Comparison

require_option = click.option(
    "--require",
    type=FiniteRange(0, 1),
    metavar="0..1",
    help="Refuse a version that agrees less than this with the one that serves, on the frames that are named.",
)
inputs_option = click.option(
    "--inputs", multiple=True, metavar="PATH", help="Compare on these images, folders or videos; may be repeated."
)


@contextlib.contextmanager
def activation_gate(
    settings: Settings, choice: FrameChoice, inputs: tuple[str, ...], require: float | None
) -> Iterator[Callable[..., Any] | None]:
    """The gate that the flags ask for; None where they ask for none.

    Raises:
        ConfigError: Frames without --require, or --require without frames.
        SourceUnreadable: A file or folder does not exist.
    """
    if require is None:
        if choice.topic is not None or inputs:
            raise ConfigError("frames to compare on without --require", fix="say how much: --require 0.98")
        yield None
        return
    from vss.workers.offline.gate import agreement_gate

    frames = choice.open(settings, inputs)
    with progress("frames", frames.count()) as advance:
        yield agreement_gate(settings, counted(frames, advance), require, on_compared=_tell)


def _tell(found: Comparison) -> None:
    from vss.model_store.comparison.gate import shown

    report_unreadable(found)
    click.secho(
        f"# {found.b.label} agrees with {found.a.label} by {shown(found.tally.agreement)}"
        f" on {found.tally.pictures} frames",
        dim=True,
        err=True,
    )
