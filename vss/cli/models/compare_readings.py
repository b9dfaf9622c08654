"""`vss models compare` on models that look at readings."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vss.cli.models.frame_options import FrameChoice
from vss.cli.progress import progress
from vss.config import Settings
from vss.errors import ConfigError

if TYPE_CHECKING:
    from vss.model_store.resolve import ModelRef
    from vss.training.comparison import WindowComparison
    from vss.training.data.series import TrainingData


def compare_readings(
    settings: Settings,
    refs: tuple[ModelRef, ModelRef],
    inputs: tuple[str, ...],
    choice: FrameChoice,
    *,
    require: float | None,
    as_json: bool,
) -> None:
    """Compares two versions on the readings of a table or a topic, and prints what was found.

    Raises:
        ConfigError: No readings were named, or they do not fit the model.
        GateFailed: The versions agree less than is required.
    """
    from vss.model_store.comparison.gate import agrees, require_agreement

    found = found_on_readings(settings, refs, inputs, choice)
    passed = None if require is None else agrees(found, require)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found) | {"required": require, "passed": passed}, indent=2))
    else:
        _show(found)
    if require is not None:
        require_agreement(found, require, a=found.a.name, b=found.b.name)


def found_on_readings(
    settings: Settings, refs: tuple[ModelRef, ModelRef], inputs: tuple[str, ...], choice: FrameChoice
) -> WindowComparison:
    """What two versions say on the readings of a table or a topic.

    Raises:
        ConfigError: No readings were named, or they do not fit the model.
    """
    from vss.training.comparison import compare_on_readings

    with progress("windows", None) as advance:
        return compare_on_readings(
            refs,
            settings.model,
            lambda features: _read(settings, inputs, choice, features),
            limit=choice.limit,
            every=choice.every,
            on_windows=advance,
        )


def _read(settings: Settings, inputs: tuple[str, ...], choice: FrameChoice, features: tuple[str, ...]) -> TrainingData:
    from vss.training.data.columns import Columns
    from vss.training.data.csv_file import read_csv

    columns = Columns(features=features)
    if choice.topic is None and len(inputs) == 1:
        return read_csv(Path(inputs[0]), columns)
    if choice.topic is None or inputs:
        raise ConfigError(
            "these models look at readings: name one table of them, or a topic",
            fix="give a CSV file, or --topic telemetry --from -1h",
        )
    from vss.clock import SystemClock
    from vss.streams.log_range import parse_moment
    from vss.training.data.topic import read_topic

    now_ns = SystemClock().now_ns()
    start, end = (parse_moment(one, now_ns=now_ns) if one is not None else None for one in (choice.start, choice.end))
    return read_topic(settings, choice.topic, start, end, columns)


def _show(found: WindowComparison) -> None:
    from vss.model_store.comparison.gate import shown

    a, b = found.a, found.b
    click.secho(f"agreement {shown(found.agreement)} on {found.looked_at}", bold=True)
    click.echo(f"  A is {a.name}, B is {b.name}")
    click.echo(
        f"  A finds {a.anomalies} anomalies, {found.only_a} of them alone; B finds {b.anomalies},"
        f" {found.only_b} of them alone"
    )
    if found.correlation is not None:
        click.echo(f"  their scores correlate by {found.correlation:.3f}")
    click.echo(f"  CPU ms a window: A {a.cpu_ms:.3f}, B {b.cpu_ms:.3f}")
    if a.failed or b.failed:
        click.echo(f"  windows it failed on: A {a.failed}, B {b.failed}")
