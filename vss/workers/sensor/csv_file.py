"""A table of readings in a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from vss.errors import SourceUnreadable
from vss.workers.sensor.columns import Columns, place_of
from vss.workers.sensor.lines import read_lines
from vss.workers.sensor.numbers import cell_number
from vss.workers.sensor.sample import Batch, Sample, Unreadable, checked_id
from vss.workers.sensor.times import TIME_NAMES, Times

SEPARATORS = (",", ";", "\t", "|")
_BATCH = 256


@dataclass(frozen=True, slots=True)
class CsvFile:
    """See `vss.workers.ingest.source.Source`.

    Attributes:
        path: Of a file whose first line names the columns.
        sensor_id: Of rows that name none.
        columns: What the columns are.
        times: Reads the time column.
        separator: Between columns; None takes what the first line holds most often.
        limit_bytes: A longer line is no reading.
    """

    path: Path
    sensor_id: str
    columns: Columns = field(default_factory=Columns)
    times: Times = field(default_factory=Times)
    separator: str | None = None
    limit_bytes: int = 64 << 10

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def live(self) -> bool:
        """A file waits for its reader."""
        return False

    def open(self) -> _CsvStream:
        """See `Source.open`."""
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise SourceUnreadable(
                f"{self.path} cannot be read: {error.strerror}", fix="name a CSV file you may read"
            ) from error
        try:
            return _CsvStream(file, self)
        except BaseException:
            file.close()
            raise


class _CsvStream:
    """A row a reading. A row that is none costs itself alone, but the first: then the table is no such table."""

    def __init__(self, file: BinaryIO, source: CsvFile) -> None:
        self._file = file
        self._where = source.name
        self._source = source
        self._lines = read_lines(file, source.limit_bytes)
        header_text = self._header_text()
        separator = source.separator or max(SEPARATORS, key=header_text.count)
        self._decimal_comma = separator != ","
        self._separator = separator
        self._header = [name.strip() for name in next(csv.reader([header_text], delimiter=separator))]
        self._place_columns(source.columns)
        self._good = 0

    def read(self) -> Batch | None:
        """See `Stream.read`."""
        batch: list[Sample | Unreadable] = []
        for number, line in self._lines:
            if line is not None and not line.strip():
                continue
            try:
                batch.append(self._sample(line))
                self._good += 1
            except ValueError as error:
                why = f"{self._where}, line {number}: {error}"
                if not self._good and not batch:
                    raise SourceUnreadable(why, fix=self._fix(error)) from None
                batch.append(Unreadable(why))
            if len(batch) >= _BATCH:
                return batch
        if not batch and not self._good:
            raise SourceUnreadable(f"no reading in {self._where}: nothing below its first line", fix="give it rows")
        return batch or None

    def close(self) -> None:
        """See `Stream.close`."""
        self._file.close()

    def _header_text(self) -> str:
        for number, line in self._lines:
            if line is None:
                raise SourceUnreadable(
                    f"{self._where}, line {number} is longer than {self._source.limit_bytes} bytes",
                    fix="name a CSV file, whose first line names its columns",
                )
            if line.strip():
                try:
                    return line.decode("utf-8-sig").strip("\r\n")
                except UnicodeDecodeError:
                    raise self._no_text(number) from None
        raise SourceUnreadable(f"{self._where} is empty", fix="name a CSV file, whose first line names its columns")

    def _no_text(self, number: int) -> SourceUnreadable:
        return SourceUnreadable(
            f"{self._where}, line {number} is no UTF-8 text",
            fix=f"convert it, for example: iconv -f LATIN1 -t UTF-8 {self._where}",
        )

    def _place_columns(self, columns: Columns) -> None:
        header, where = self._header, self._where
        time = columns.time_of(header)
        if time is None:
            raise SourceUnreadable(
                f"{where} has no column called {', '.join(TIME_NAMES)}",
                fix=f"say which holds the time: --time-column {header[0]!r}",
            )
        self._time_at = place_of(time, header, where, "--time-column ")
        self._sensor_at = place_of(columns.sensor, header, where, "--sensor-column ") if columns.sensor else None
        self._chosen = bool(columns.features)
        if self._chosen:
            self._features = [
                (feature, place_of(column, header, where, "--features " if feature == column else f"--map {feature}="))
                for feature, column in columns.features.items()
            ]
        else:
            others = {self._time_at, self._sensor_at}
            self._features = [(name, place) for place, name in enumerate(header) if place not in others]
        for name, _ in self._features:
            if sum(name == other for other, _ in self._features) > 1:
                raise SourceUnreadable(f"{where} has two columns {name!r}", fix="choose by --features or --map")

    def _sample(self, line: bytes | None) -> Sample:
        if line is None:
            raise ValueError(f"longer than {self._source.limit_bytes} bytes")
        try:
            (row,) = csv.reader([line.decode()], delimiter=self._separator, strict=True)
        except UnicodeDecodeError:
            raise ValueError("no UTF-8 text") from None
        except csv.Error as error:
            raise ValueError(str(error)) from None
        if len(row) != len(self._header):
            raise ValueError(f"{len(row)} columns, where the first line names {len(self._header)}")
        if not self._chosen:
            # What holds text in the first row holds no measurement.
            self._features = [(name, place) for name, place in self._features if self._is_number(row[place])]
            self._chosen = True
            if not self._features:
                raise ValueError("no column holds a number")
        try:
            ts_ms = self._source.times.read_ms(row[self._time_at])
        except ValueError as error:
            raise ValueError(f"column {self._header[self._time_at]!r}: {error}") from None
        sensor_id = self._source.sensor_id if self._sensor_at is None else checked_id(row[self._sensor_at].strip())
        return Sample(sensor_id, ts_ms, dict(self._values(row)))

    def _values(self, row: list[str]) -> Iterator[tuple[str, float | None]]:
        for name, place in self._features:
            try:
                yield name, cell_number(row[place], decimal_comma=self._decimal_comma)
            except ValueError as error:
                raise ValueError(f"column {self._header[place]!r}: {error}") from None

    def _is_number(self, cell: str) -> bool:
        try:
            cell_number(cell, decimal_comma=self._decimal_comma)
        except ValueError:
            return False
        return True

    def _fix(self, error: ValueError) -> str:
        text = str(error)
        if "is no time" in text:
            return "write 2026-03-01T12:00:00Z or seconds since 1970, or give --time-column or --time-format"
        if "UTF-8" in text:
            return f"convert it, for example: iconv -f LATIN1 -t UTF-8 {self._where}"
        if "is no number" in text or "no column" in text:
            return "choose the columns that hold numbers: --features a,b"
        return "correct the line, or give --separator"
