"""The port of a task whose models look at windows of readings: what comes after the model; before it there is nothing.

A window goes into the model in raw units: what scales it is part of the model's graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vss.config import ModelSettings
from vss.errors import ModelUnsupported
from vss.model_store.backends.model import Model
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.series.results import AnomalyScores, Forecasts
from vss.model_store.tasks.series.spec import SeriesSpec, read_series_spec, require_input

Output = NDArray[np.float32]


class SeriesTask(Protocol):
    """What comes after a model. Its methods are called from several threads at once.

    Attributes:
        spec: What the model was trained with.
        facts: What is worth knowing about it, for people.
        outputs: Of the model, by name, and the shape of each without its first axis, which is that of the windows.
    """

    @property
    def spec(self) -> SeriesSpec:
        """See `SeriesTask`."""

    @property
    def facts(self) -> Mapping[str, str]:
        """See `SeriesTask`."""

    @property
    def outputs(self) -> Mapping[str, tuple[int, ...]]:
        """See `SeriesTask`."""

    def result(self, outputs: Sequence[Output]) -> AnomalyScores | Forecasts:
        """What the model's outputs mean.

        Args:
            outputs: In the order of the attribute `outputs`, windows first; NaN for windows that failed.
        """

    def wrong(self, outputs: Sequence[Output]) -> NDArray[np.bool_]:
        """Which windows have outputs that cannot be, such as NaN; shape (n,)."""


def spec_of(ref: ModelRef, model: Model, settings: ModelSettings, outputs: Sequence[str]) -> SeriesSpec:
    """What a loaded model was trained with; it was not run yet.

    Args:
        ref: Which, and its manifest.
        model: It, loaded.
        settings: `threshold` is read.
        outputs: Names it must give its outputs.

    Raises:
        ModelUnsupported: It is no ONNX file, does not say what it was trained with, or has another input or outputs.
        ConfigError: Its manifest does not fit.
    """
    where = ref.file.name
    names: Any = getattr(model, "output_names", None)
    if names is None:
        raise ModelUnsupported(f"{where} is no ONNX file, which a model for {ref.manifest.task} has to be", fix=_EXPORT)
    spec = read_series_spec(model.metadata, ref.manifest, where=where, threshold=settings.threshold)
    require_input(spec, model.input_shape, where)
    missing = [name for name in outputs if name not in names]
    if missing:
        raise ModelUnsupported(
            f"{where} has no output {', '.join(missing)}, but {', '.join(names)}",
            fix=f"a model for {ref.manifest.task} has the outputs {', '.join(outputs)}: {_EXPORT}",
        )
    return spec


def described(spec: SeriesSpec) -> dict[str, str]:
    """What is worth knowing about a series model, for people."""
    facts = {"kind": spec.kind} if spec.kind else {}
    shown = ", ".join(spec.features[:6]) + (", …" if len(spec.features) > 6 else "")
    facts["features"] = f"{len(spec.features)}: {shown}"
    facts["window"] = f"{spec.window} readings" + (f", one each {spec.period_ms} ms" if spec.period_ms else "")
    facts["missing"] = "the last value" if spec.impute == "hold" else "the training mean"
    return facts


def trained(spec: SeriesSpec) -> dict[str, str]:
    """What is known of a model's training, for people."""
    if (training := spec.trained) is None:
        return {}
    facts = {}
    if training.rows:
        facts["trained on"] = f"{training.rows:,} readings" + (
            f", SHA-256 {training.data_sha256[:12]}…" if training.data_sha256 else ""
        )
    if training.metrics:
        facts["held out"] = ", ".join(f"{name} {value:.4g}" for name, value in training.metrics.items())
    return facts


_EXPORT = "export it to ONNX as docs/models.md says"
