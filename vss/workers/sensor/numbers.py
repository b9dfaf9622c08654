"""Numbers as sources write them."""

from __future__ import annotations

import math
from typing import Final

_MISSING: Final = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))


def cell_number(cell: str, *, decimal_comma: bool = False) -> float | None:
    """The number in a cell of a table; None where the cell is empty, says so (`NaN`, `null`, `-`), or is infinite.

    Args:
        cell: Text.
        decimal_comma: Whether `1,5` is one and a half.

    Raises:
        ValueError: It is no number.
    """
    try:
        # float() would also take '1_000'.
        number = float(cell) if "_" not in cell else math.nan
    except ValueError:
        text = cell.strip().lower()
        if text in _MISSING:
            return None
        if decimal_comma and "," in text:
            return cell_number(text.replace(",", ".", 1))
        raise ValueError(f"{cell.strip()[:40]!r} is no number") from None
    if "_" in cell:
        raise ValueError(f"{cell.strip()[:40]!r} is no number")
    return number if math.isfinite(number) else None


def json_number(value: object) -> float | None:
    """The number of a JSON value; None for null, and for what Python's `json` writes as NaN or Infinity.

    Raises:
        ValueError: It is no number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{str(value)[:40]!r} is no number")
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
