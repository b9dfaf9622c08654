"""How right a model is, in points from 0 to 100: against labels where there are any, else against the original."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from vss.config import ModelSettings
from vss.errors import BadRecord, ConfigError
from vss.model_store.comparison.difference import Tally
from vss.model_store.comparison.tasks import RESULTS, Compare
from vss.model_store.evaluation.average_precision import LOWEST_CONFIDENCE, SUPPRESSION_IOU, mean_average_precision
from vss.model_store.quantisation.samples import Sample
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import Runner
from vss.model_store.tasks.registry import task_kind

Found = Mapping[str, Any]
"""What a model finds in each picture, by the picture's name."""

_EVERY_BOX: Final = {"confidence": LOWEST_CONFIDENCE, "iou": SUPPRESSION_IOU, "max_detections": 300}
_CHUNK: Final = 16


class Judge(Protocol):
    """Gives points.

    Attributes:
        measure: What the points are.
        settings: What a model is run with to be judged.
    """

    @property
    def measure(self) -> str:
        """See `Judge`."""

    @property
    def settings(self) -> ModelSettings:
        """See `Judge`."""

    def points(self, found: Found, samples: Sequence[Sample]) -> float:
        """Of what was found in these pictures, 0..100."""


@dataclass(frozen=True, slots=True)
class PrecisionJudge:
    """Against labels, by mean average precision over IoUs of 0.5 to 0.95."""

    settings: ModelSettings
    measure: str = "mAP50-95"

    def points(self, found: Found, samples: Sequence[Sample]) -> float:
        """See `Judge.points`."""
        truth = {sample.name: sample.truth or () for sample in samples}
        return 100 * mean_average_precision(truth, {name: found[name] for name in truth}).map50_95


@dataclass(frozen=True, slots=True)
class AgreementJudge:
    """Against what the original finds: boxes that match at an IoU of 0.5, or the first class."""

    settings: ModelSettings
    compare: Compare
    original: Found
    measure: str = "agreement"

    def points(self, found: Found, samples: Sequence[Sample]) -> float:
        """See `Judge.points`."""
        tally = Tally()
        for sample in samples:
            tally.add(self.compare(self.original[sample.name], found[sample.name]))
        return 100 * tally.agreement


def judge_for(
    ref: ModelRef, settings: ModelSettings, samples: Sequence[Sample], on_picture: Callable[[], None]
) -> tuple[Judge, Found]:
    """The judge that the pictures allow, and what the original finds with its settings.

    Args:
        ref: The original.
        settings: Of models; the original's own thresholds hold where agreement is measured.
        samples: All pictures.
        on_picture: Called after each.

    Raises:
        ModelError: The original cannot be served.
        ConfigError: A picture cannot be read.
    """
    settings = settings.model_copy(update={"device": "cpu", "classes": None, "features": None})
    kind = task_kind(ref.manifest.task)
    # Labels of a few pictures only say nothing of the rest.
    if kind.finds_objects and all(sample.truth is not None for sample in samples):
        settings = settings.model_copy(update=_EVERY_BOX)
        return PrecisionJudge(settings), find(ref, settings, samples, on_picture)
    found = find(ref, settings, samples, on_picture)
    comparing = kind.comparing or RESULTS
    return AgreementJudge(settings, comparing.compare, found), found


def find(ref: ModelRef, settings: ModelSettings, samples: Sequence[Sample], on_picture: Callable[[], None]) -> Found:
    """What a model finds in pictures, run as a worker runs it.

    Raises:
        ModelError: It cannot be served.
        ConfigError: A picture cannot be read.
    """
    runner, found = Runner.load(ref, settings), {}
    try:
        for start in range(0, len(samples), _CHUNK):
            chunk = samples[start : start + _CHUNK]
            for sample, future in zip(chunk, runner.submit([one.picture for one in chunk]), strict=True):
                found[sample.name] = future.result().value
                on_picture()
    except BadRecord as error:
        raise ConfigError(f"a picture cannot be read: {error}", fix="remove or repair it") from error
    finally:
        runner.close()
    return found
