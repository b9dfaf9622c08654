"""What a model says about one picture, and what that took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Answer(Generic[R_co]):
    """What was found in one picture.

    Attributes:
        value: What the task makes of it: of a detection the objects, the most confident first.
        inference_s: This picture's share of the model call, seconds.
        processing_s: From the start of its decoding to its result, seconds.
        width: Of the source, pixels.
        height: Of the source, pixels.
        embedding: Shape (n,), what the layer that `features` names puts out; None unless asked for.
        call_s: The whole model call that this picture was part of, seconds; 0 where the model was not asked.
    """

    value: R_co
    inference_s: float
    processing_s: float
    width: int
    height: int
    embedding: NDArray[np.float32] | None = None
    call_s: float = 0.0
