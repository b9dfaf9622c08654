from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
import structlog.testing
from structlog.typing import EventDict

from tests.sensor.mosquitto import Mosquitto, mosquitto_program
from tests.sensor.rig import SensorRig


@pytest.fixture
def rig() -> SensorRig:
    return SensorRig()


@pytest.fixture
def log_lines() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker without password, shared by the session's tests, who use topics of their own."""
    if mosquitto_program() is None:
        pytest.skip("no mosquitto on this machine: apt-get install mosquitto")
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that the test starts; killed at its end if they still run."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)
