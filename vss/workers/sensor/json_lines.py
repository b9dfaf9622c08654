"""Readings as lines of JSON, from a pipe or a file."""

from __future__ import annotations

import os
import select
from dataclasses import dataclass
from pathlib import Path

from vss.errors import SourceUnreadable
from vss.workers.sensor.json_reading import JsonReadings
from vss.workers.sensor.sample import Batch, Sample, Unreadable

STDIN = "-"
# How often a silent pipe lets its reader look up.
_WAIT_S = 0.2
_CHUNK_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class JsonLines:
    """See `vss.workers.ingest.source.Source`.

    Attributes:
        path: A file, or `-` for standard input.
        readings: Makes readings of lines.
        limit_bytes: A longer line is no reading.
    """

    path: str
    readings: JsonReadings
    limit_bytes: int = 64 << 10

    @property
    def name(self) -> str:
        """The path."""
        return "standard input" if self.path == STDIN else self.path

    @property
    def live(self) -> bool:
        """A pipe waits for its reader."""
        return False

    def open(self) -> _JsonLinesStream:
        """See `Source.open`."""
        if self.path == STDIN:
            return _JsonLinesStream(os.dup(0), self)
        try:
            return _JsonLinesStream(os.open(Path(self.path), os.O_RDONLY | os.O_CLOEXEC), self)
        except OSError as error:
            raise SourceUnreadable(
                f"{self.path} cannot be read: {error.strerror}", fix="name a file you may read, or - for a pipe"
            ) from error


class _JsonLinesStream:
    """A line that is no reading costs itself alone; a source that holds none but those is no source."""

    def __init__(self, descriptor: int, source: JsonLines) -> None:
        self._descriptor = descriptor
        self._source = source
        self._rest = b""
        self._number = 0
        self._overlong = False
        self._ended = False
        self._good = 0
        self._first_fault = ""

    def read(self) -> Batch | None:
        """See `Stream.read`."""
        if self._ended:
            return None
        if not select.select([self._descriptor], [], [], _WAIT_S)[0]:
            return ()
        try:
            chunk = os.read(self._descriptor, _CHUNK_BYTES)
        except OSError as error:
            raise SourceUnreadable(
                f"{self._source.name} cannot be read: {error.strerror}",
                fix="name a file of JSON lines, or -",
            ) from error
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if not chunk:
            self._ended = True
            lines, self._rest = ([self._rest] if self._rest or self._overlong else []), b""
        batch = [item for line in lines if (item := self._item(line)) is not None]
        if len(self._rest) > self._source.limit_bytes:
            self._overlong, self._rest = True, b""
        if self._ended and not self._good:
            raise SourceUnreadable(
                f"no reading in {self._source.name}" + (f"; {self._first_fault}" if self._first_fault else ""),
                fix='give it lines such as {"ts": "2026-03-01T12:00:00Z", "pressure": 1.2}',
            )
        return batch

    def close(self) -> None:
        """See `Stream.close`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _item(self, line: bytes) -> Sample | Unreadable | None:
        self._number += 1
        overlong, self._overlong = self._overlong or len(line) > self._source.limit_bytes, False
        if not overlong and not line.strip():
            return None
        try:
            if overlong:
                raise ValueError(f"longer than {self._source.limit_bytes} bytes")
            sample = self._source.readings.decode(line)
        except ValueError as error:
            why = f"{self._source.name}, line {self._number}: {error}"
            self._first_fault = self._first_fault or why
            return Unreadable(why)
        self._good += 1
        return sample
