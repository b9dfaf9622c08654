"""Lines of bytes, each no longer than a limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO


def read_lines(file: BinaryIO, limit_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Gives each line with its number, from 1; None in the place of a line that is longer than the limit.

    Args:
        file: Open for reading.
        limit_bytes: Of a line, its end included.
    """
    number = 0
    while line := file.readline(limit_bytes + 1):
        number += 1
        if len(line) <= limit_bytes:
            yield number, line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(limit_bytes)
        yield number, None
