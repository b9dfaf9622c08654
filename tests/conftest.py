"""What every test may ask for: the shared data, and a real Kafka and Redis for the session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from vss.local.fleet import LocalFleet


@pytest.fixture(autouse=True)
def _fresh_logging() -> Iterator[None]:
    """Commands set up logging for their process; the next test's level must not be theirs."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips, models and series; `VSS_TEST_DATA` names another."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("VSS_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}; set VSS_TEST_DATA to where it lies")
    return folder


@pytest.fixture(scope="session")
def local_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    """A Kafka and a Redis shared by the session's tests, who use topics and keys of their own.

    Tests that stop or kill a server start a fleet of their own.
    """
    with LocalFleet(tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


@pytest.fixture(scope="session")
def bootstrap_servers(local_fleet: LocalFleet) -> str:
    """Address of the session's Kafka."""
    return local_fleet.addresses.bootstrap_servers


@pytest.fixture(scope="session")
def redis_url(local_fleet: LocalFleet) -> str:
    """Address of the session's Redis."""
    return local_fleet.addresses.redis_url
