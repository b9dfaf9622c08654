"""Fixtures that the tests of cameras and of sensors share; their conftest files import them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
import structlog.testing
from structlog.typing import EventDict

__all__ = ["log_lines", "started"]


@pytest.fixture
def log_lines() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that the test starts; killed at its end if they still run."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)
