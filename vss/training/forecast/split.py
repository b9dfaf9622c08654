"""Which readings a forecast learns from, is chosen by, is calibrated on and is measured on: always in order of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from vss.errors import ConfigError
from vss.training.data.series import TrainingData
from vss.training.data.split import GAP_PERIODS, Rule, check_trainable, pieces
from vss.training.forecast.windows import ForecastWindows, Scaling, cut_windows

PARTS: Final = ("training", "validation", "calibration", "test")
SHARES: Final = (0.7, 0.1, 0.1, 0.1)
"""Of `PARTS`, where nothing else is asked for."""
_HOUR_MS: Final = 3_600_000
_MONTH_HOURS: Final = 30 * 24
ETT_MONTHS: Final = (12, 4, 4)
"""Training, validation and test in the protocol of ETT: months of 30 days (Zhou et al., "Informer", AAAI 2021)."""

Borders = tuple[tuple[int, ...], ...]
"""Of each sensor, in the order of the data's sensors: the row at which each of `PARTS` begins, and the end."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Windows of each of `PARTS`, and what standardises them.

    Attributes:
        training: To learn from.
        validation: To stop, to choose the network and the shape of intervals by.
        calibration: For the width of intervals alone; later than both.
        test: To measure on; the latest.
        scaling: Of the readings that training windows lie in.
        rows: Readings of each part.
        learnt_until_ms: Time of the last reading that anything but the test has seen.
    """

    training: ForecastWindows
    validation: ForecastWindows
    calibration: ForecastWindows
    test: ForecastWindows
    scaling: Scaling
    rows: tuple[int, int, int, int]
    learnt_until_ms: int


def split_by_shares(data: TrainingData) -> Borders:
    """Cuts each sensor's readings by `SHARES`."""
    return tuple(_cut(total, SHARES) for total in _rows_by_sensor(data).values())


def split_as_ett(data: TrainingData) -> Borders:
    """12 months, 4 months and 4 months; the first half of the second validates, the other half calibrates.

    Raises:
        ConfigError: There is more than one sensor, too few rows, or a period that does not divide an hour.
    """
    rows = _rows_by_sensor(data)
    if len(rows) > 1:
        raise ConfigError(
            f"{data.shown} has {len(rows)} sensors, the protocol of ETT one", fix="give one sensor's file"
        )
    training, validation, test = ett_rows(data.period_ms)
    end = training + validation + test
    total = sum(rows.values())
    if total < end:
        raise ConfigError(
            f"{data.shown} has {total} rows; the protocol of ETT needs {end}: {sum(ETT_MONTHS)} months of 30 days",
            fix="give a longer file, or --split shares",
        )
    return ((0, training, training + validation // 2, training + validation, end),)


def ett_rows(period_ms: int) -> tuple[int, int, int]:
    """Readings of the training, validation and test months.

    Raises:
        ConfigError: The period does not divide an hour.
    """
    if _HOUR_MS % period_ms:
        raise ConfigError(
            f"a reading each {period_ms} ms is none of ETT's, which has them each hour or quarter of an hour",
            fix="give ETTh1.csv or another of its files, or its --period",
        )
    training, validation, test = (months * _MONTH_HOURS * (_HOUR_MS // period_ms) for months in ETT_MONTHS)
    return training, validation, test


SPLITS: Final[Mapping[str, Callable[[TrainingData], Borders]]] = {"shares": split_by_shares, "ett": split_as_ett}


def make_parts(data: TrainingData, split: str, *, lookback: int, horizon: int, impute: Rule = "hold") -> Parts:
    """Splits readings and cuts them into windows.

    Args:
        data: All readings.
        split: Of `SPLITS`.
        lookback: Readings of a window.
        horizon: Steps that are foretold.
        impute: What stands in for missing values.

    Raises:
        ConfigError: A column never changes or is never there, or a part has too few rows for a window and what follows
            it; names the column or the part, and the fix.
    """
    borders = SPLITS[split](data)
    learnt = _part_of(data, borders, 0)
    check_trainable(learnt, 1)
    scaling = Scaling.of(learnt)
    windows = cut_windows(data, borders, scaling, lookback=lookback, horizon=horizon, impute=impute)
    rows = tuple(sum(edges[part + 1] - edges[part] for edges in borders) for part in range(len(PARTS)))
    for name, part, count in zip(PARTS, windows, rows, strict=True):
        if not len(part):
            longest = max(map(len, pieces(data)))
            needed = _rows_needed(lookback, horizon)
            holes = f"; holes of more than {GAP_PERIODS} periods part rows" if longest < data.rows else ""
            raise ConfigError(
                f"{data.shown} has {data.rows} rows, {longest} of them in a row: the {count} for {name} hold no window"
                f" of {lookback} readings with {horizon} steps after it",
                fix=f"give at least {needed} rows in a row, or a smaller --lookback or --horizon{holes}",
            )
    calibrated = _part_of(data, borders, 2)
    until = max(int(one.ts_ms[-1]) for one in calibrated.series)
    training, validation, calibration, test = windows
    return Parts(training, validation, calibration, test, scaling, (rows[0], rows[1], rows[2], rows[3]), until)


def _rows_needed(lookback: int, horizon: int) -> int:
    """Rows of one sensor that surely give every part a window."""
    smallest = min(SHARES)
    return max(round((lookback + horizon) / SHARES[0]), round((horizon + 1) / smallest)) + len(PARTS)


def _rows_by_sensor(data: TrainingData) -> dict[str, int]:
    rows = dict.fromkeys(data.sensors, 0)
    for one in data.series:
        rows[one.sensor_id] += len(one)
    return rows


def _cut(total: int, shares: tuple[float, ...]) -> tuple[int, ...]:
    edges, sum_of = [0], 0.0
    for share in shares[:-1]:
        sum_of += share
        edges.append(round(sum_of * total))
    return (*edges, total)


def _part_of(data: TrainingData, borders: Borders, part: int) -> TrainingData:
    """The readings of one part."""
    found = []
    seen = dict.fromkeys(data.sensors, 0)
    edges = dict(zip(data.sensors, borders, strict=True))
    for one in data.series:
        before = seen[one.sensor_id]
        low, high = edges[one.sensor_id][part] - before, edges[one.sensor_id][part + 1] - before
        if max(low, 0) < min(high, len(one)):
            found.append(one.cut(max(low, 0), min(high, len(one))))
        seen[one.sensor_id] += len(one)
    return data.of(found)
