"""Class names as a user gives them: a file with one a line, or a list with commas."""

from __future__ import annotations

from pathlib import Path

from vss.errors import ConfigError

_MAX_BYTES = 1 << 20


def parse_labels(text: str) -> tuple[str, ...]:
    """Class names in the order of their class ids.

    Args:
        text: The path of a text file with one name a line, or names separated by commas.

    Raises:
        ConfigError: The file cannot be read, or a name is empty.
    """
    path = Path(text)
    if "," in text or not _looks_like_file(path):
        names = [name.strip() for name in text.split(",")]
    else:
        names = [line.strip() for line in _read(path).splitlines()]
        while names and not names[-1]:
            names.pop()
    for class_id, name in enumerate(names):
        if not name:
            raise ConfigError(f"labels: class {class_id} has no name", fix="give each class one name")
    if not names:
        raise ConfigError(f"labels: {text} is empty", fix="write one class name a line")
    return tuple(names)


def _looks_like_file(path: Path) -> bool:
    return path.suffix in {".txt", ".names"} or path.is_file()


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise ConfigError(
            f"labels: {path} cannot be read: {reason}", fix="give a text file, one name a line"
        ) from error
