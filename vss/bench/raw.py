"""The model alone: `session.run` on inputs that are ready."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss.codecs.images import read_image_info
from vss.config import Limits
from vss.model_store.evaluation.usage import Stopwatch, Usage
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.runner import Runner
from vss.schemas.frame import FrameHeader

_INPUTS_A_CALLER = 4


class RawModel:
    """Runs a model without anything around it, with as many callers as its runner has threads.

    One caller a core that share a session is the best setting for the raw side too: a call spread over two cores took
    10 to 45 % longer.

    Args:
        runner: Whose model.
        jpegs: What the inputs are made of.
        batch: Images a call; by default as many as the model must have, and one where it takes any, which is the
            fastest on the CPU.
    """

    def __init__(self, runner: Runner[Any], jpegs: Sequence[bytes], *, batch: int | None = None) -> None:
        self._model = runner.model
        self._callers = runner.threads
        self._batch = batch or runner.model.input_shape[0] or 1
        self._inputs = [
            [
                ready_input(runner, [jpegs[(caller + i) % len(jpegs)]], self._batch)
                for i in range(max(1, _INPUTS_A_CALLER // self._batch))
            ]
            for caller in range(self._callers)
        ]

    def run(self, frames: int) -> Usage:
        """The cost of one frame."""
        calls = max(1, frames // (self._callers * self._batch))
        with ThreadPoolExecutor(self._callers) as pool:
            # Threads start here, not in the measurement.
            list(pool.map(lambda _: None, range(self._callers)))
            watch = Stopwatch()
            list(pool.map(self._call, self._inputs, [calls] * self._callers))
            usage = watch.read()
        return usage.per_frame(calls * self._callers * self._batch)

    def _call(self, inputs: list[NDArray[np.float32]], calls: int) -> None:
        for i in range(calls):
            self._model.run(inputs[i % len(inputs)])


def ready_input(runner: Runner[Any], jpegs: Sequence[bytes], batch: int) -> NDArray[Any]:
    """A batch for a runner's model, made of pictures in turn."""
    inputs = runner.task.inputs(batch)
    for slot in range(batch):
        jpeg = jpegs[slot % len(jpegs)]
        picture = Picture.encoded(jpeg, read_image_info(jpeg, FrameHeader(camera_id="bench"), Limits()))
        size = (picture.width, picture.height)
        inputs.write(slot, picture.load(runner.task.decode_wh(*size)), size)
    room: NDArray[Any] = inputs.batch
    return room
