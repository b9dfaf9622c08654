"""How large what comes out of a store may be."""

from __future__ import annotations

from typing import Final

from vss.errors import ModelTooLarge

MAX_BESIDE_BYTES: Final = 16 << 20
"""Of a manifest, a smoke picture, or what lies beside a version."""
MAX_EXTRAS: Final = 8
"""Files beside the model file of a version."""


def refuse_if_too_large(where: str, size_bytes: int, limit_bytes: int) -> None:
    """Compares a size with its limit.

    Raises:
        ModelTooLarge: It is larger.
    """
    if size_bytes > limit_bytes:
        fix = "raise model.max_file_bytes" if limit_bytes != MAX_BESIDE_BYTES else "give a smaller file"
        raise ModelTooLarge(f"{where} is larger than {limit_bytes:,} bytes", fix=fix)
