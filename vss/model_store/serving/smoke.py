"""What a version must show before it may serve: that it runs as a worker will run it, and knows its smoke input."""

from __future__ import annotations

from typing import Final

import numpy as np

from vss.codecs.images import Image, decode_image, read_image_info
from vss.config import Limits
from vss.errors import BadRecord, InferenceFailed, SmokeFailed
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.window_runner import WindowRunner
from vss.model_store.serving.loaded_runner import LoadedPictures, LoadedRunner
from vss.schemas.frame import FrameHeader

_GREY: Final = 114
_SIDE: Final = 320


def prove(runner: LoadedRunner, ref: ModelRef) -> None:
    """Warms a model up and has it look at its manifest's smoke input; without one, at a grey picture.

    A series model looks at windows of zeros, of its training means and of missing values.

    Raises:
        SmokeFailed: It does not run, or does not find what the manifest says.
    """
    try:
        runner.warm()
        if isinstance(runner, WindowRunner):
            runner.prove()
            return
        found = _found(runner, ref)
    except SmokeFailed:
        raise
    except Exception as error:  # a runtime's errors and a task's share no class but this
        known = isinstance(error, InferenceFailed)
        said = str(error) if known else f"{type(error).__name__}: {error}"
        raise SmokeFailed(
            f"version {ref.version} of {ref.name} does not run: {said}", fix="look at the model with `vss infer`"
        ) from error
    missing = [name for name in ref.manifest.smoke.expect if name not in found]
    if missing:
        raise SmokeFailed(
            f"version {ref.version} of {ref.name} does not find {', '.join(missing)} in its smoke input, "
            f"but {', '.join(sorted(found)) or 'nothing'}",
            fix="look at it with `vss infer`, or correct smoke in model.yaml",
        )


def _found(runner: LoadedPictures, ref: ModelRef) -> set[str]:
    [future] = runner.submit([Picture.decoded(_smoke_image(ref))])
    return set(runner.task.classes_in(future.result().value))


def _smoke_image(ref: ModelRef) -> Image:
    if ref.smoke is None:
        return np.full((_SIDE, _SIDE, 3), _GREY, np.uint8)
    try:
        value = ref.smoke.read_bytes()
        header = FrameHeader(camera_id="smoke")
        return decode_image(value, read_image_info(value, header, Limits()))
    except BadRecord as error:
        raise SmokeFailed(f"the smoke input of {ref.name} cannot be read: {error}", fix="use a JPEG or PNG") from error
