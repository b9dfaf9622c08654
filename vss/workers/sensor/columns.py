"""Which columns of a table, or fields of an object, are what."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vss.errors import SourceUnreadable
from vss.workers.sensor.times import TIME_NAMES


@dataclass(frozen=True, slots=True)
class Columns:
    """What the user says of the columns.

    Attributes:
        time: Where the time is; None takes the first of `TIME_NAMES` that is there.
        sensor: Where the sensor's id is; None: all is of one sensor.
        features: Feature to the column it comes from; empty takes every column that holds numbers, under its own name.
    """

    time: str | None = None
    sensor: str | None = None
    features: Mapping[str, str] = field(default_factory=dict)

    def time_of(self, names: Iterable[str]) -> str | None:
        """The column that holds the time; None where none is named like one."""
        if self.time is not None:
            return self.time
        by_lower = {name.strip().lower(): name for name in names}
        return next((by_lower[name] for name in TIME_NAMES if name in by_lower), None)


def place_of(name: str, header: Sequence[str], where: str, option: str) -> int:
    """Where a column is.

    Args:
        name: Of the column.
        header: All names.
        where: The table, for messages.
        option: The flag that named the column, with what stands between it and the name.

    Raises:
        SourceUnreadable: There is none of that name; names the nearest and all there are.
    """
    if name in header:
        return list(header).index(name)
    by_lower = {one.lower(): one for one in header}
    near = by_lower[difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.0)[0]]
    listed = ", ".join(header[:12]) + (", …" if len(header) > 12 else "")
    raise SourceUnreadable(f"{where} has no column {name!r}", fix=f"did you mean {option}{near!r}? It has: {listed}")
