from __future__ import annotations

from pathlib import Path

import pytest

from tests.camera.clips import make_clip
from tests.camera.rig import Rig
from tests.ingest.fixtures import log_lines, started

__all__ = ["log_lines", "started"]


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames at 25 a second, H.264, 96x64."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")
