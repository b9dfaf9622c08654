"""From a classifier's output to the classes it is most sure of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import InferenceFailed
from vss.schemas.events import ClassPrediction

# Finer than any model is, and half the bytes of a double.
_CONFIDENCE_DIGITS: Final = 5


class PredictionMaker:
    """What comes after the model.

    Args:
        labels: Class names by class id.
        logits: Whether the output still has to become probabilities.
        top_k: Classes that are reported, at most.
    """

    def __init__(self, labels: Sequence[str], *, logits: bool, top_k: int) -> None:
        self._labels = tuple(labels)
        self._logits = logits
        self._top_k = min(top_k, len(self._labels))

    def predictions(self, output: NDArray[np.float32]) -> tuple[ClassPrediction, ...]:
        """The most confident classes, the first first; of equals the lower class id.

        Args:
            output: Of the model for one picture, one number a class.

        Raises:
            InferenceFailed: A number of it is none.
        """
        scores = output.ravel()
        # Of what is not finite neither the order nor a share can be told, and JSON has no word for it.
        if not np.isfinite(scores.sum(dtype=np.float64)):
            raise InferenceFailed("the model put out what is no number (NaN or infinite)")
        best = np.argsort(-scores, kind="stable")[: self._top_k]
        chances = _softmax(scores)[best] if self._logits else scores[best].astype(np.float64)
        rounded = chances.round(_CONFIDENCE_DIGITS).clip(0, 1)
        return tuple(
            ClassPrediction(class_=self._labels[class_id], class_id=class_id, confidence=confidence)
            for class_id, confidence in zip(best.tolist(), rounded.tolist(), strict=True)
        )


def are_probabilities(outputs: NDArray[Any]) -> bool:
    """Whether each row of a batch is a distribution: none below 0, their sum 1.

    Args:
        outputs: Shape (batch, classes).
    """
    rows = outputs.astype(np.float64)
    return bool((rows >= 0).all() and np.allclose(rows.sum(axis=1), 1.0, atol=2e-3))


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    powers = np.exp(scores.astype(np.float64) - scores.max())
    chances: NDArray[np.float64] = powers / powers.sum()
    return chances
