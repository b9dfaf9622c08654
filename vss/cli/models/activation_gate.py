"""`--require` of `vss models activate`: a version has to agree with the one that serves before it may."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from vss.cli.models.comparison_report import report_unreadable
from vss.cli.models.frame_options import FrameChoice, counted
from vss.cli.numbers import FiniteRange
from vss.cli.progress import progress
from vss.config import Settings
from vss.errors import ConfigError

if TYPE_CHECKING:
    from vss.model_store.comparison.gate import Agreement
    from vss.model_store.resolve import ModelRef

require_option = click.option(
    "--require",
    type=FiniteRange(0, 1),
    metavar="0..1",
    help="Refuse a version that agrees less than this with the one that serves, on the frames or readings named.",
)
inputs_option = click.option(
    "--inputs",
    multiple=True,
    metavar="PATH",
    help="Compare on these images, folders or videos, may be repeated; or on a CSV file of readings.",
)


def activation_gate(
    settings: Settings, choice: FrameChoice, inputs: tuple[str, ...], require: float | None
) -> Callable[..., Any] | None:
    """The gate that the flags ask for; None where they ask for none.

    Raises:
        ConfigError: Frames or readings without --require, or --require without them.
    """
    if require is None:
        if choice.topic is not None or inputs:
            raise ConfigError("frames to compare on without --require", fix="say how much: --require 0.98")
        return None
    choice.check(inputs)
    from vss.workers.offline.gate import agreement_gate

    return agreement_gate(settings, lambda refs: _compare(settings, refs, choice, inputs, require))


def _compare(
    settings: Settings, refs: tuple[ModelRef, ModelRef], choice: FrameChoice, inputs: tuple[str, ...], require: float
) -> None:
    from vss.model_store.comparison.gate import require_agreement, shown
    from vss.model_store.tasks.registry import task_kind

    a, b = (f"{ref.name}@{ref.version}" for ref in refs)
    all_series = all(task_kind(ref.manifest.task).takes == "series" for ref in refs)
    found = (_on_readings if all_series else _on_frames)(settings, refs, choice, inputs)
    click.secho(f"# {b} agrees with {a} by {shown(found.agreement)} on {found.looked_at}", dim=True, err=True)
    require_agreement(found, require, a=a, b=b)


def _on_readings(
    settings: Settings, refs: tuple[ModelRef, ModelRef], choice: FrameChoice, inputs: tuple[str, ...]
) -> Agreement:
    from vss.cli.models.compare_readings import found_on_readings

    return found_on_readings(settings, refs, inputs, choice)


def _on_frames(
    settings: Settings, refs: tuple[ModelRef, ModelRef], choice: FrameChoice, inputs: tuple[str, ...]
) -> Agreement:
    from vss.workers.offline.compare import compare_versions

    frames = choice.open(settings, inputs)
    with progress("frames", frames.count()) as advance:
        found = compare_versions(refs, settings.model, counted(frames, advance), worst=0, memory=False)
    report_unreadable(found)
    return found.tally
