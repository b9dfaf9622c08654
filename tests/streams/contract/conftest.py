"""Runs each test of this folder on each of the three Kafkas."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.streams.contract.world import KafkaWorld, MemoryWorld, World


@pytest.fixture(params=["memory", "consumer", "classic"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as resources:
        if request.param == "memory":
            yield MemoryWorld()
        else:
            yield KafkaWorld(request.getfixturevalue("bootstrap_servers"), request.param, resources)


@pytest.fixture
def group() -> str:
    return f"group-{uuid.uuid4().hex}"
