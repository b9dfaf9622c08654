"""Times of a table's column: RFC 3339 and its looser relatives, or seconds or milliseconds since the epoch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from vss.errors import ConfigError
from vss.training.data.series import Times

_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
# Milliseconds of 1990 have twelve digits, seconds of the year 5000 eleven.
_MILLISECONDS_FROM: Final = 1e11
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PERIOD: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def parse_times(texts: Sequence[str], lines: Sequence[int], column: str, shown: str) -> Times:
    """Reads a column; a time without an offset is UTC.

    Args:
        texts: What the column holds.
        lines: Line of each in the file, to speak of it.
        column: Its name.
        shown: How to speak of the file.

    Raises:
        ConfigError: One is no time.
    """
    times = np.empty(len(texts), np.int64)
    for place, text in enumerate(texts):
        try:
            times[place] = _time_ms(text.strip())
        except (ValueError, OverflowError) as error:
            raise ConfigError(
                f"{shown}, line {lines[place]}: column {column!r} holds {text[:40]!r}, which is no time",
                fix="write 2026-03-01T12:00:00Z or seconds or milliseconds since 1970, or name another --time-column",
            ) from error
    return times


def _time_ms(text: str) -> int:
    if _NUMBER.fullmatch(text):
        number = float(text)
        return round(number if abs(number) >= _MILLISECONDS_FROM else number * 1000)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def parse_period(text: str) -> int:
    """Reads `1s`, `500ms`, `15m`, `1h` or `1d`; a bare number is seconds. Milliseconds.

    Raises:
        ConfigError: It is none of that, or nothing.
    """
    found = _PERIOD.fullmatch(text.strip())
    period_ms = round(float(found[1]) * _UNITS_MS[found[2] or "s"]) if found is not None else 0
    if not 1 <= period_ms <= 366 * _UNITS_MS["d"]:
        raise ConfigError(f"{text!r} is no period", fix="write 1s, 500ms, 15m or 1h")
    return period_ms
