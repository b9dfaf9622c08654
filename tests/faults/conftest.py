"""Rigs of real processes, and a model small enough for them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.rig import Rig
from tests.model_store.tiny_model import write_tiny_yolov8
from vss.local.fleet import LocalFleet


@pytest.fixture
def make_rig(bootstrap_servers: str, tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Makes rigs on the session's broker; their processes end with the test."""
    with ExitStack() as rigs:

        def make(servers: str = bootstrap_servers, **options: Any) -> Rig:
            rig = Rig(servers, tmp_path, **options)
            rigs.callback(rig.close)
            return rig

        yield make


@pytest.fixture
def own_fleet(tmp_path: Path) -> Iterator[LocalFleet]:
    """A Kafka and a Redis that a test may kill."""
    with LocalFleet(tmp_path / "fleet") as fleet:
        yield fleet


@pytest.fixture
def rng() -> random.Random:
    """Where moments come from; `VSS_TEST_SEED` repeats a run."""
    seed = int(os.environ.get("VSS_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"VSS_TEST_SEED={seed}")  # noqa: T201 - shown by pytest when the test fails
    return random.Random(seed)


@pytest.fixture
def tiny_detector(tmp_path: Path) -> Path:
    """A detector of a few bytes."""
    return write_tiny_yolov8(tmp_path / "tiny.onnx")
