"""Which task a series model has, by what its file says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

from vss.model_store.onnx_metadata import read_onnx_metadata

METADATA_KEY: Final = "vss.series"
"""Of ONNX's metadata; what it holds is a `SeriesSpec`."""
MAX_METADATA_BYTES: Final = 1 << 20


def series_task_in(file: Path) -> Literal["anomaly", "forecast"] | None:
    """`forecast` of an ONNX file that says how far it sees, else `anomaly`; None of one that says nothing of readings.

    Whether what it says is whole is seen when it is loaded.
    """
    text = read_onnx_metadata(file, METADATA_KEY, max_bytes=MAX_METADATA_BYTES)
    if text is None:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "anomaly"
    foretells = isinstance(document, dict) and document.get("horizon") is not None
    return "forecast" if foretells else "anomaly"
