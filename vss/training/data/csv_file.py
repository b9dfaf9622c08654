"""Reads readings from a table in a CSV file, whatever separates its columns."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError
from vss.training.data.columns import Columns, find_time, label_places, place_of
from vss.training.data.series import SensorSeries, TrainingData, leave_out_infinite, usual_period_ms
from vss.training.data.times import parse_times

MAX_FILE_BYTES: Final = 2 << 30
_SEPARATORS: Final = (",", ";", "\t", "|")
_MISSING: Final = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))
_ONE_SENSOR: Final = "all"


class _Table:
    """The rows of a file as text."""

    def __init__(self, path: Path) -> None:
        self.shown = path.name
        content = _content(path)
        self.sha256 = hashlib.sha256(content).hexdigest()
        text = _decoded(content, self.shown)
        self.separator = sniff_separator(text)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self.separator)
        try:
            self.header = [name.strip() for name in next(reader, [])]
            self.rows: list[list[str]] = []
            self.lines: list[int] = []
            for row in reader:
                if row:
                    self._add(row, reader.line_num)
        except csv.Error as error:
            raise ConfigError(f"{self.shown}, line {reader.line_num}: {error}", fix="correct the line") from error
        self._check()

    def _add(self, row: list[str], line: int) -> None:
        if len(row) != len(self.header):
            raise ConfigError(
                f"{self.shown}, line {line} has {len(row)} columns, its first line has {len(self.header)}",
                fix=f"correct the line; columns are separated by {self.separator!r}",
            )
        self.rows.append(row)
        self.lines.append(line)

    def _check(self) -> None:
        if not self.rows:
            raise ConfigError(f"{self.shown} holds no rows below its first line", fix="give a table with readings")
        if len(self.header) < 2:
            raise ConfigError(
                f"{self.shown} has one column, {self.header[0][:60]!r}",
                fix="separate columns by a comma, semicolon, tab or '|'; one holds the time and others values",
            )
        twice = [name for name in self.header if self.header.count(name) > 1]
        if twice:
            raise ConfigError(f"{self.shown} has two columns {twice[0]!r}", fix="rename one of them")

    def column(self, place: int) -> list[str]:
        return [row[place] for row in self.rows]

    def numbers(self, place: int) -> NDArray[np.float64] | int:
        """The column as numbers, NaN where nothing is; or the first row that holds no number."""
        decimal_comma = self.separator != ","
        values = np.empty(len(self.rows))
        for number, row in enumerate(self.rows):
            text = row[place].strip()
            try:
                values[number] = float(text)
            except ValueError:
                if text.lower() in _MISSING:
                    values[number] = np.nan
                    continue
                try:
                    values[number] = float(text.replace(",", ".", 1)) if decimal_comma else _refused(text)
                except ValueError:
                    return number
        leave_out_infinite(values)
        return values


def read_csv(
    path: Path, columns: Columns | None = None, *, period_ms: int | None = None, keep_labelled: bool = True
) -> TrainingData:
    """Reads a table: a line of names, then a row a reading.

    Args:
        path: Of the file.
        columns: What the columns are.
        period_ms: Time from one reading to the next; the median step by default.
        keep_labelled: Whether rows that a label says are not normal stay in.

    Raises:
        ConfigError: The file cannot be read or is no such table, a column is missing or holds no numbers, or times do
            not ascend; names the line and the column.
    """
    columns = columns if columns is not None else Columns()
    table = _Table(path)
    time_at = find_time(columns, table.header, table.shown)
    sensor_at = place_of(columns.sensor, table.header, table.shown, "--sensor-column") if columns.sensor else None
    labels = label_places(columns, table.header)
    times = parse_times(table.column(time_at), table.lines, table.header[time_at], table.shown)
    names, values = _features(table, columns, {time_at, *labels} | ({sensor_at} if sensor_at is not None else set()))
    sensors = table.column(sensor_at) if sensor_at is not None else [_ONE_SENSOR] * len(times)
    normal = np.ones(len(times), bool) if keep_labelled or not labels else ~_labelled(table, labels[0])
    series: list[SensorSeries] = []
    repeated = 0
    groups: dict[str, list[int]] = {}
    for row, sensor in enumerate(sensors):
        groups.setdefault(sensor, []).append(row)
    for sensor, rows in groups.items():
        places = np.array(rows)
        fresh = _ascending(times[places], [table.lines[row] for row in rows], table.header[time_at], table.shown)
        repeated += int((~fresh).sum())
        places = places[fresh]
        series += _stretches(sensor, times[places], values[places], normal[places])
    left_out = (("rows with the time of the row before", repeated), ("rows labelled not normal", int((~normal).sum())))
    period = period_ms if period_ms is not None else usual_period_ms(series, table.shown)
    return TrainingData(
        names, tuple(series), period, table.sha256, table.shown, tuple(one for one in left_out if one[1])
    )


def read_labels(path: Path, column: str) -> NDArray[np.bool_]:
    """(n,) bool: whether each row's label is not 0.

    Raises:
        ConfigError: The file cannot be read, or has no such column of numbers.
    """
    table = _Table(path)
    return _labelled(table, place_of(column, table.header, table.shown, "--label-column"))


def sniff_separator(text: str) -> str:
    """What separates the columns: what the first line holds most often, a comma where it holds none of those known."""
    first = text.split("\n", 1)[0]
    return max(_SEPARATORS, key=first.count)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_FILE_BYTES >> 30} GiB", fix="train on a part of it")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", fix="name a CSV file") from error


def _decoded(content: bytes, shown: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown} is no UTF-8 text", fix="save it as CSV in UTF-8") from error
    if "\0" in text:
        raise ConfigError(f"{shown} is no text", fix="save it as CSV in UTF-8")
    return text


def _refused(text: str) -> float:
    raise ValueError(text)


def _features(table: _Table, columns: Columns, taken: set[int]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    if columns.features is not None:
        places = [place_of(name, table.header, table.shown, "--features") for name in columns.features]
    else:
        places = [place for place in range(len(table.header)) if place not in taken]
    names, found = [], []
    for place in places:
        values = table.numbers(place)
        if isinstance(values, int):
            if columns.features is None:
                continue  # a note, a state: not asked for, and no number
            raise ConfigError(
                f"{table.shown}, line {table.lines[values]}: column {table.header[place]!r} holds"
                f" {table.rows[values][place][:40]!r}, which is no number",
                fix="leave the column out of --features, or correct the line",
            )
        names.append(table.header[place])
        found.append(values)
    if not found:
        raise ConfigError(
            f"{table.shown} has no column of numbers beside {table.header[min(taken)]!r}",
            fix=f"give a table with values; columns were separated by {table.separator!r}",
        )
    return tuple(names), np.stack(found, axis=1)


def _labelled(table: _Table, place: int) -> NDArray[np.bool_]:
    values = table.numbers(place)
    if isinstance(values, int):
        raise ConfigError(
            f"{table.shown}, line {table.lines[values]}: label {table.header[place]!r} is no number",
            fix="write 0 for normal and 1 for not",
        )
    marked: NDArray[np.bool_] = np.nan_to_num(values) != 0
    return marked


def _ascending(times: NDArray[np.int64], lines: Sequence[int], column: str, shown: str) -> NDArray[np.bool_]:
    """Which rows are later than the one before; of those with one time, the first."""
    steps = np.diff(times)
    back = np.flatnonzero(steps < 0)
    if len(back):
        raise ConfigError(
            f"{shown}, line {lines[back[0] + 1]}: column {column!r} goes back in time",
            fix="sort the file by time, or name the column that tells sensors apart with --sensor-column",
        )
    return np.concatenate([[True], steps > 0])


def _stretches(
    sensor: str, times: NDArray[np.int64], values: NDArray[np.float64], normal: NDArray[np.bool_]
) -> list[SensorSeries]:
    """Stretches of normal rows, so that none is taken for the neighbour of one beyond a fault."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], normal, [False]]).astype(np.int8)))
    return [SensorSeries(sensor, times[a:b], values[a:b]) for a, b in zip(edges[::2], edges[1::2], strict=True)]
