"""Which columns of a table are what: time, sensor, features, and labels that no model may see."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vss.errors import ConfigError

LABELS: Final = ("anomaly", "changepoint")
"""Columns that say what is right (SKAB names them so): a model that saw them would have nothing to learn."""
_TIMES: Final = ("ts", "time", "timestamp", "datetime", "date")


@dataclass(frozen=True, slots=True)
class Columns:
    """What the user says of the columns; None leaves the choice to what they hold.

    Attributes:
        features: To learn, in this order; all numeric ones by default.
        time: When a row was measured; the first of `ts`, `time`, `timestamp`, `datetime`, `date` by default.
        sensor: Whose row it is; all rows are one sensor's by default.
        labels: Never a feature; rows where the first of them that is there is not 0 are left out of what is normal.
    """

    features: tuple[str, ...] | None = None
    time: str | None = None
    sensor: str | None = None
    labels: tuple[str, ...] = LABELS


def place_of(name: str, header: Sequence[str], shown: str, option: str) -> int:
    """Where a column is.

    Raises:
        ConfigError: There is none of that name; names the nearest and all there are.
    """
    if name in header:
        return list(header).index(name)
    near = difflib.get_close_matches(name, header, n=1, cutoff=0.6)
    listed = ", ".join(header[:12]) + (", …" if len(header) > 12 else "")
    fix = f"did you mean {option} {near[0]!r}? " if near else f"give {option} one of them; "
    raise ConfigError(f"{shown} has no column {name!r}", fix=f"{fix}its columns: {listed}".replace("? its", "? Its"))


def find_time(columns: Columns, header: Sequence[str], shown: str) -> int:
    """Where the time is.

    Raises:
        ConfigError: There is no such column, or none that is named like one.
    """
    if columns.time is not None:
        return place_of(columns.time, header, shown, "--time-column")
    lowered = [name.strip().lower() for name in header]
    for name in _TIMES:
        if name in lowered:
            return lowered.index(name)
    raise ConfigError(
        f"{shown} has no column named {', '.join(_TIMES[:-1])} or {_TIMES[-1]}",
        fix=f"say which holds the time: --time-column {header[0] if header else 'NAME'!r}",
    )


def label_places(columns: Columns, header: Sequence[str]) -> list[int]:
    """Where labels are; those that are not there are passed over."""
    wanted = {name.lower() for name in columns.labels}
    return [place for place, name in enumerate(header) if name.strip().lower() in wanted]
