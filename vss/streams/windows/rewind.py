"""How far back a partition must be read for its windows, and the text that says so beside a commit.

A partition's offsets are cut into blocks of equal length. A window reaches back to the beginning of the block before
the one its newest record lies in, and no further: what it holds is by definition what a replay from there gives. So a
hand-over never reads more than two blocks, however slow a sensor is.
"""

from __future__ import annotations

import orjson


def reach(offset: int, block: int) -> int:
    """The first offset that a window may hold when the record at `offset` arrives.

    Args:
        offset: Of the record.
        block: Records in a block.
    """
    return max(0, (offset // block - 1) * block)


def rewind_text(offset: int) -> str:
    """The text to commit: whoever has the partition next rebuilds from `offset`."""
    return orjson.dumps({"rewind": offset}).decode()


def read_rewind(text: str) -> int | None:
    """The offset in such a text; None where it holds none, such as one that another program committed."""
    try:
        found = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
    offset = found.get("rewind") if isinstance(found, dict) else None
    return offset if isinstance(offset, int) and not isinstance(offset, bool) and offset >= 0 else None
