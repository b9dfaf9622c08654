"""The `--folder` of the commands that run the local fleet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def folder_option(command: F) -> F:
    """Adds `--folder`, which reaches the command as `folder: Path`."""
    return click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(".vss"),
        show_default=True,
        envvar="VSS_HOME",
        show_envvar=True,
        help="Where data, logs and addresses are kept.",
    )(command)
