"""Options that say what a model is trained on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from vss.config import Settings
from vss.errors import ConfigError

if TYPE_CHECKING:
    from vss.training.data.series import TrainingData

F = TypeVar("F", bound=Callable[..., Any])

_TIME = "TIME is 2026-03-01T12:00:00Z, -10m (s, m, h, d ago), epoch milliseconds or offset:1200."
_OPTIONS = (
    click.option("--data", type=click.Path(path_type=Path), metavar="FILE", help="Table of readings: CSV with a head."),
    click.option("--topic", metavar="TOPIC", help="Readings of this topic instead, such as telemetry."),
    click.option("--from", "start", metavar="TIME", help=f"The topic's first reading that counts; {_TIME}"),
    click.option("--to", "end", metavar="TIME", help="The topic's first that no longer counts.  [default: now]"),
    click.option("--features", metavar="A,B", help="What to learn, in this order.  [default: every column of numbers]"),
    click.option(
        "--time-column", metavar="NAME", help="Column of the time.  [default: ts, time, timestamp, datetime or date]"
    ),
    click.option("--sensor-column", metavar="NAME", help="Column that tells sensors apart.  [default: all are one]"),
    click.option(
        "--label-column",
        metavar="NAME",
        help="Column that says what is not normal; never a feature.  [default: anomaly, changepoint]",
    ),
    click.option("--period", metavar="TIME", help="From one reading to the next: 1s, 15m, 1h.  [default: as they are]"),
)


@dataclass(frozen=True, slots=True)
class DataSource:
    """What the user said of the data."""

    data: Path | None
    topic: str | None
    start: str | None
    end: str | None
    features: tuple[str, ...] | None
    time_column: str | None
    sensor_column: str | None
    label_column: str | None
    period: str | None

    def read(self, settings: Settings, *, keep_labelled: bool = True) -> TrainingData:
        """The readings.

        Args:
            settings: The cluster, where they come from a topic.
            keep_labelled: Whether rows that a label says are not normal stay in.

        Raises:
            ConfigError: Both or neither of file and topic were given, or what was named holds no such readings.
            BrokerUnavailable: No broker answers.
        """
        from vss.clock import SystemClock
        from vss.streams.log_range import parse_moment
        from vss.training.data.columns import LABELS, Columns
        from vss.training.data.csv_file import read_csv
        from vss.training.data.times import parse_period
        from vss.training.data.topic import read_topic

        if (self.data is None) == (self.topic is None):
            which = "both a file and a topic were named" if self.data is not None else "no data was named"
            raise ConfigError(which, fix="give --data FILE, or --topic telemetry --from -1d")
        labels = (self.label_column,) if self.label_column is not None else LABELS
        columns = Columns(self.features, self.time_column, self.sensor_column, labels)
        period_ms = parse_period(self.period) if self.period is not None else None
        if self.topic is None:
            if self.start is not None or self.end is not None:
                raise ConfigError("--from and --to are of a topic", fix="leave them out, or give --topic")
            assert self.data is not None  # noqa: S101 - one of the two is
            return read_csv(self.data, columns, period_ms=period_ms, keep_labelled=keep_labelled)
        for option, value in (("--time-column", self.time_column), ("--sensor-column", self.sensor_column)):
            if value is not None:
                raise ConfigError(f"{option} is of a file; a reading says its own", fix="leave it out")
        now_ns = SystemClock().now_ns()
        start, end = (parse_moment(one, now_ns=now_ns) if one is not None else None for one in (self.start, self.end))
        return read_topic(settings, self.topic, start, end, columns, period_ms=period_ms)


def data_options(command: F) -> F:
    """Adds the options of what is trained on, which reach the command as one `source` argument."""

    @functools.wraps(command)
    def wrapped(
        data: Path | None,
        topic: str | None,
        start: str | None,
        end: str | None,
        features: str | None,
        time_column: str | None,
        sensor_column: str | None,
        label_column: str | None,
        period: str | None,
        **rest: Any,
    ) -> Any:
        names = tuple(name.strip() for name in features.split(",") if name.strip()) if features else None
        source = DataSource(data, topic, start, end, names, time_column, sensor_column, label_column, period)
        return command(source=source, **rest)

    decorated = cast("F", wrapped)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


seed_option = click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of chance.")
device_option = click.option(
    "--device",
    "training_device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="What to train on.",
)
threads_option = click.option(
    "--threads",
    "training_threads",
    type=click.IntRange(1),
    metavar="N",
    help="CPU threads to train with.  [default: PyTorch's choice]",
)
