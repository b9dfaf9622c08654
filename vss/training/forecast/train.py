"""Trains a forecast: from readings to a file that a worker can serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vss.model_store.tasks.series.forecast import OUTPUTS
from vss.model_store.tasks.series.spec import SeriesSpec, Trained
from vss.training.data.series import TrainingData
from vss.training.forecast.conformal import choose_floor, half_widths, scaled
from vss.training.forecast.learnt import LEARNT_UNTIL
from vss.training.forecast.measure import Measured, measure_file, raw
from vss.training.forecast.settings import ForecastSettings
from vss.training.forecast.split import PARTS, Parts, make_parts
from vss.training.forecast.windows import Floats, ForecastWindows
from vss.training.series_file import check_same, export_network, write_spec
from vss.training.torch_setup import prepare_torch

if TYPE_CHECKING:
    from torch import nn

    from vss.training.forecast.candidates import Candidate, OnEpoch

TASK: Final = "forecast"
_CALIBRATION_NUMBERS: Final = 1 << 26
"""Residuals at most; of more windows, every k-th calibrates."""
_COMPARED: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A forecast that was trained.

    Attributes:
        file: ONNX, whole.
        candidates: All that were trained, in their order.
        chosen: One of them, or the mean of some.
        parts: What they learnt from and were measured on.
        test: Figures on the test part, of the file.
        floor: (F,) least scale of intervals, standardised.
        difference: Largest difference between network and file.
    """

    file: Path
    candidates: Sequence[Candidate]
    chosen: Candidate
    parts: Parts
    test: Measured
    floor: Floats
    difference: float

    @property
    def metrics(self) -> dict[str, float]:
        """On held-out readings, standardised; what the version carries along."""
        return {
            "validation_mse": self.chosen.error,
            "test_mse": self.test.mse,
            "test_mae": self.test.mae,
            "test_naive_mse": self.test.naive_mse,
            "test_coverage": self.test.coverage,
            "test_width": self.test.width,
        }


def train_forecast(
    data: TrainingData,
    settings: ForecastSettings,
    folder: Path,
    *,
    created: str,
    clock: Callable[[], float],
    on_epoch: OnEpoch | None = None,
    on_trained: Callable[[Candidate], None] | None = None,
) -> Made:
    """Trains, chooses, calibrates, writes and measures.

    1. Split the readings in time and cut them into windows.
    2. Train each architecture on the training part.
    3. Choose one, or the mean of some, by the validation part, and by it the shape of the intervals.
    4. Set the width of the intervals by the calibration part.
    5. Write the file and hold it against the network.
    6. Measure the file on the test part, and write into it what it was trained with.

    Args:
        data: Readings.
        settings: What to train.
        folder: Where the file is written.
        created: When, RFC 3339.
        clock: Monotonic seconds.
        on_epoch: Told of each epoch.
        on_trained: Told of each architecture.

    Raises:
        ConfigError: Nothing can be learnt from the data, or what trains is not installed.
        ModelUnsupported: The file does not do what was trained, or is too large.
    """
    device = prepare_torch(settings.seed, settings.device, settings.threads)
    from vss.training.forecast.candidates import choose, train_candidates

    parts = make_parts(
        data, settings.split, lookback=settings.lookback, horizon=settings.horizon, impute=settings.impute
    )  # 1
    candidates = train_candidates(parts, settings, device, clock=clock, on_epoch=on_epoch, on_trained=on_trained)  # 2
    chosen = choose(candidates)  # 3
    judged = chosen.judged
    floor = choose_floor(judged.residuals, judged.known, judged.spread, settings.level)
    width = _calibrated(chosen.network, parts.calibration, floor, settings.level)  # 4
    file = folder / "forecast.onnx"
    difference = _write(chosen.network, parts, floor, width, file)  # 5
    test = measure_file(file, parts.test, parts.scaling)  # 6
    made = Made(file, candidates, chosen, parts, test, floor, difference)
    more = {"producer": "vss train forecast", LEARNT_UNTIL: str(parts.learnt_until_ms)}
    write_spec(file, _spec(data, settings, made, created), more)
    return made


def training_record(data: TrainingData, settings: ForecastSettings, made: Made) -> Mapping[str, Any]:
    """How a forecast was trained, for people: what lies beside the version as `training.json`."""
    return {
        "task": TASK,
        "architecture": made.chosen.name,
        "data": data.document(),
        "settings": asdict(settings),
        "split": {
            name: {"rows": rows, "windows": len(getattr(made.parts, name))}
            for name, rows in zip(PARTS, made.parts.rows, strict=True)
        },
        "learnt_until_ms": made.parts.learnt_until_ms,
        "scaling": {"mean": made.parts.scaling.mean.tolist(), "deviation": made.parts.scaling.deviation.tolist()},
        "interval_floor": made.floor.tolist(),
        "difference_to_onnx": made.difference,
        "metrics": made.metrics,
        "test": made.test.document(),
        "candidates": {
            one.name: {
                "validation_mse": one.error,
                "seconds": round(one.seconds, 1),
                "notes": one.notes,
                "epochs": len(one.curves.training),
                "kept_epoch": one.curves.best_epoch + 1 if one.curves.training else None,
                "training_loss": list(one.curves.training),
                "validation_loss": list(one.curves.held_out),
            }
            for one in made.candidates
        },
    }


def _calibrated(network: nn.Module, windows: ForecastWindows, floor: Floats, level: float) -> Floats:
    from vss.training.forecast.foretold import foretell

    few = windows.thinned(max(1, _CALIBRATION_NUMBERS // (windows.horizon * windows.features)))
    found = foretell(network, few)
    return half_widths(found.residuals, found.known, scaled(found.spread, floor), level)


def _write(network: nn.Module, parts: Parts, floor: Floats, width: Floats, file: Path) -> float:
    """Writes the file; returns how far it is from the network."""
    import torch

    from vss.training.forecast.networks.normalised import Forecaster

    whole = Forecaster(network, parts.scaling.mean, parts.scaling.deviation, floor, width)
    export_network(whole, parts.test.lookback, parts.test.features, OUTPUTS, file)
    inputs, _, _ = parts.test.take(np.arange(min(_COMPARED, len(parts.test))))
    windows = raw(inputs, parts.scaling)
    with torch.no_grad():
        outputs = whole(torch.from_numpy(windows))
    return check_same(file, dict(zip(OUTPUTS, (one.numpy() for one in outputs), strict=True)), windows)


def _spec(data: TrainingData, settings: ForecastSettings, made: Made, created: str) -> SeriesSpec:
    import torch

    return SeriesSpec(
        features=data.features,
        window=settings.lookback,
        period_ms=data.period_ms,
        impute=settings.impute,
        fallback=tuple(float(mean) for mean in made.parts.scaling.mean),
        horizon=settings.horizon,
        level=settings.level,
        kind=made.chosen.name,
        trained=Trained(
            data_sha256=data.sha256,
            rows=data.rows,
            seed=settings.seed,
            metrics=made.metrics,
            created=created,
            torch=str(torch.__version__),
        ),
    )
