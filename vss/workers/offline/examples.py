"""Writes the examples that two versions differ in most, as pictures."""

from __future__ import annotations

from pathlib import Path

from vss.codecs.images import encode_image
from vss.errors import ConfigError
from vss.model_store.comparison.drawing import draw_side_by_side
from vss.workers.offline.compare import Comparison


def write_examples(folder: Path, comparison: Comparison) -> list[Path]:
    """Writes `worst-01.png` and so on, A left and B right, the worst first; those of an earlier run go.

    Args:
        folder: Made when there is something to write.
        comparison: Whose worst examples.

    Raises:
        ConfigError: A file cannot be written.
    """
    titles = (f"A  {comparison.a.label}", f"B  {comparison.b.label}")
    paths = []
    try:
        for old in folder.glob("worst-[0-9][0-9].png"):
            old.unlink()
        for number, example in enumerate(comparison.worst, 1):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"worst-{number:02d}.png"
            path.write_bytes(encode_image(draw_side_by_side(example, titles), "png"))
            paths.append(path)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written: {error.strerror}",
            fix="give --save a folder on a disk with space, which you may write to",
        ) from error
    return paths
