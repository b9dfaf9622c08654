"""The step of a task of one's own: a result that no event can hold is its frame's dead letter, not its neighbours'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.model_store.own_task import install_own_task
from tests.workers.test_detect_step import record
from vss.config import Limits, ModelSettings
from vss.errors import InferenceFailed
from vss.metrics import Metrics
from vss.model_store.resolve import resolve_file
from vss.model_store.runner.runner import Runner
from vss.model_store.serving.single import SingleModel
from vss.schemas.envelope import Outcome
from vss.testing import ManualClock, make_frame
from vss.workers.pictures.kinds import own_task
from vss.workers.pictures.step import PictureStep


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        ("object()", "the result of task 'own' cannot be written as JSON: Unable to serialize"),
        ("exit(3)", "task 'own' of package own-package raised SystemExit: 3"),
    ],
)
def test_an_odd_result_fails_its_frame_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str, says: str
) -> None:
    result = f"return {{'level': {odd} if width == 64 else width}}"
    model = install_own_task(tmp_path / "site", monkeypatch, result=result)
    kind, metrics = own_task("own"), Metrics()
    step = PictureStep(
        kind.name,
        task=kind.task,
        server=SingleModel(Runner.load(resolve_file(model), ModelSettings(device="cpu", threads=1))),
        events=kind.events,
        topic_prefix="yard.",
        group="night",
        limits=Limits(),
        metrics=metrics,
        clock=ManualClock(2_000_000_000_000_000_000),
    )
    frames = [make_frame("gate", np.zeros((48, width, 3), np.uint8), seq=width) for width in (32, 64, 80)]
    try:
        before, failed, after = step.begin([record(frame, i) for i, frame in enumerate(frames)]).results()
    finally:
        step.close()
    assert isinstance(before, Outcome)
    assert isinstance(after, Outcome)
    assert isinstance(failed, InferenceFailed)
    assert str(failed).startswith(says)
