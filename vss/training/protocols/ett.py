"""The protocol of ETT, as the literature of long-term forecasting measures since Informer.

Zhou et al., "Informer: Beyond Efficient Transformer for Long Sequence Time-Series Forecasting", AAAI 2021: the first 12
months (of 30 days) train, the next 4 validate, the next 4 test; each feature is standardised by mean and deviation of
the training months; every window of the test months counts, one a row, and none is dropped to fill a batch. A test
window may look back into the months before. MSE and MAE are means over windows, steps and features, standardised.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from vss.errors import ConfigError
from vss.model_store.tasks.series.spec import SeriesSpec
from vss.training.data.series import TrainingData
from vss.training.forecast.measure import Measured, measure_file
from vss.training.forecast.split import make_parts

SPLIT: Final = "ett"


def evaluate_ett(file: Path, spec: SeriesSpec, data: TrainingData, *, learnt_until_ms: int | None) -> Measured:
    """Measures a model's file on the test months.

    Args:
        file: ONNX.
        spec: What it was trained with.
        data: One of ETT's files, or one of its kind.
        learnt_until_ms: Time of the last reading that the model has learnt from; None where it does not say.

    Raises:
        ConfigError: The data has other columns than the model or too few rows, or the model has seen test months.
    """
    if spec.horizon is None:
        raise ConfigError("the model foretells nothing", fix="name a model of task forecast")
    _refuse_other_columns(spec, data)
    parts = make_parts(data, SPLIT, lookback=spec.window, horizon=spec.horizon, impute=spec.impute)
    begins = parts.learnt_until_ms
    if learnt_until_ms is not None and learnt_until_ms > begins and _same_data(spec, data):
        raise ConfigError(
            "the model has learnt from months that the protocol tests on, so its figure would say nothing",
            fix="train it with --split ett",
        )
    return measure_file(file, parts.test, parts.scaling)


def _refuse_other_columns(spec: SeriesSpec, data: TrainingData) -> None:
    if data.features != spec.features:
        lacks = [name for name in spec.features if name not in data.features]
        what = f"has no column {lacks[0]!r}" if lacks else f"has the columns {', '.join(data.features)}"
        raise ConfigError(
            f"{data.shown} {what}; the model takes {', '.join(spec.features)}",
            fix=f"give a file with them: --features {','.join(spec.features)}",
        )


def _same_data(spec: SeriesSpec, data: TrainingData) -> bool:
    return spec.trained is not None and spec.trained.data_sha256 == data.sha256


def report(measured: Measured, spec: SeriesSpec, data: TrainingData) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "protocol": SPLIT,
        "data": data.shown,
        "sha256": data.sha256,
        "kind": spec.kind,
        "lookback": spec.window,
        "horizon": spec.horizon,
        "level": spec.level,
        "features": list(spec.features),
        **measured.document(),
    }
