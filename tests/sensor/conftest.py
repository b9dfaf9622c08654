from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ingest.fixtures import log_lines, started
from tests.sensor.mosquitto import Mosquitto, mosquitto_program
from tests.sensor.rig import SensorRig

__all__ = ["log_lines", "started"]


@pytest.fixture
def rig() -> SensorRig:
    return SensorRig()


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker without password, shared by the session's tests, who use topics of their own."""
    if mosquitto_program() is None:
        pytest.skip("no mosquitto on this machine: apt-get install mosquitto")
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker
