"""The many ways in which sources write a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

TIME_NAMES: Final = ("ts", "time", "timestamp", "datetime", "date")
"""What columns that hold the time are mostly called; the first that is there counts where none is named."""

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
# Milliseconds of 1973 have twelve digits, seconds of the year 5000 eleven.
_MILLISECONDS_FROM = 1e11
# datetime's last year.
_LATEST_MS = 253_402_300_799_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Times:
    """Reads times.

    Attributes:
        zone: Of times that name none.
        format: As `strptime` takes it; None reads RFC 3339 and its looser relatives, and seconds or milliseconds since
            the epoch, which their size tells apart.
    """

    zone: tzinfo = UTC
    format: str | None = None

    def read_ms(self, value: object) -> int:
        """Milliseconds since the epoch.

        Args:
            value: Text or a number.

        Raises:
            ValueError: It is no time.
        """
        if isinstance(value, str):
            return self._text_ms(value.strip())
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _epoch_ms(value)
        raise ValueError(f"{str(value)[:40]!r} is no time")

    def _text_ms(self, text: str) -> int:
        if self.format is None and _NUMBER.fullmatch(text):
            return _epoch_ms(float(text) if "." in text else int(text))
        try:
            moment = datetime.strptime(text, self.format) if self.format else datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text[:40]!r} is no time") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        return (moment - _EPOCH) // _MILLISECOND


def _epoch_ms(number: float) -> int:
    milliseconds = number if abs(number) >= _MILLISECONDS_FROM else number * 1000
    if not abs(milliseconds) <= _LATEST_MS:  # NaN, too
        raise ValueError(f"{number} is no time: neither seconds nor milliseconds since 1970")
    return round(milliseconds)
