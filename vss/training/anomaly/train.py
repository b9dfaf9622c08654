"""Trains a detector from readings of normal operation: from data to a file that a worker can serve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError
from vss.model_store.tasks.series.spec import DEFAULT_LEVELS, Levels, SeriesSpec, Trained
from vss.training.anomaly.detector import Detector, DetectorSettings, Part
from vss.training.anomaly.graph import SCORE, GraphWriter, larger_of
from vss.training.anomaly.normal import Normal
from vss.training.anomaly.streaming import THRESHOLD, write_streaming
from vss.training.anomaly.threshold import Calibrated, calibrate
from vss.training.data.series import TrainingData
from vss.training.data.split import Windows, check_trainable, split_by_time, windows_of
from vss.training.fitting import OnEpoch
from vss.training.series_file import INPUT, run_file, write_spec
from vss.training.torch_setup import prepare_torch

FEWEST_WINDOWS: Final = 32
"""To learn from; fewer say nothing."""
TASK: Final = "anomaly"
_STREAMING_SHOWN: Final = 1_000


def train_detector(
    data: TrainingData,
    settings: DetectorSettings,
    folder: Path,
    *,
    created: str,
    device: str = "auto",
    threads: int | None = None,
    on_epoch: OnEpoch | None = None,
) -> Detector:
    """Trains, calibrates and writes a detector.

    1. Keep the latest readings back.
    2. Measure what is normal, on all of them.
    3. Train each part on the earlier ones; stop and set its threshold by the later.
    4. Join the parts: the larger score of the two, each in its own thresholds.
    5. Write into the file what it was trained with.

    Args:
        data: Normal readings.
        settings: How.
        folder: Where files are written.
        created: When, RFC 3339.
        device: As `prepare_torch`.
        threads: As `prepare_torch`.
        on_epoch: Told of each epoch of the autoencoder.

    Raises:
        ConfigError: Nothing can be learnt from the data, or what trains is not installed.
        ModelUnsupported: The file does not do what was trained.
    """
    if settings.architecture == "streaming":
        return _streaming(data, settings, folder, created)
    where = prepare_torch(settings.seed, device, threads)
    train, held_out = cut(data, settings)  # 1
    normal = Normal.of(data)  # 2
    parts: dict[str, Part] = {}
    if settings.architecture != "isolation-forest":  # 3
        from vss.training.anomaly.autoencoder import train_autoencoder

        file = folder / "lstm-autoencoder.onnx"
        parts["lstm-autoencoder"] = train_autoencoder(normal, train, held_out, settings, where, file, on_epoch)
    if settings.architecture != "lstm-autoencoder":
        from vss.training.anomaly.forest import train_forest

        file = folder / "isolation-forest.onnx"
        parts["isolation-forest"] = train_forest(normal, train, held_out, settings, file)
    file, scores, calibrated = _joined(parts, held_out, settings, folder)  # 4
    metrics = {
        "held_out_windows": float(len(scores)),
        "held_out_above_threshold": float((scores > calibrated.threshold).mean()),
        "held_out_median": float(np.median(scores)),
    }
    spec = _spec(data, settings, normal, calibrated, metrics, created)
    write_spec(file, spec, {"producer": "vss train anomaly"})  # 5
    return Detector(file, calibrated, scores, parts, metrics)


def _streaming(data: TrainingData, settings: DetectorSettings, folder: Path, created: str) -> Detector:
    """Nothing is learnt; what the data has beyond a window shows what scores it gives."""
    check_trainable(data, 1)
    normal = Normal.of(data)
    file = folder / "streaming.onnx"
    write_streaming(file, settings.window, len(data.features))
    step = max(1, data.rows // _STREAMING_SHOWN)
    windows = windows_of(data, settings.window, fallback=normal.centre, step=step)
    scores = run_file(file, windows, batch=8)[SCORE] if len(windows) else np.zeros(0, np.float32)
    low, medium, high, critical = (THRESHOLD * times for times in DEFAULT_LEVELS)
    levels = Levels(low=low, medium=medium, high=high, critical=critical)
    calibrated = Calibrated(THRESHOLD, levels, float((scores > THRESHOLD).mean()) if len(scores) else 0.0)
    metrics = {"windows": float(len(scores)), "above_threshold": calibrated.expected}
    write_spec(file, _spec(data, settings, normal, calibrated, metrics, created), {"producer": "vss train anomaly"})
    return Detector(file, calibrated, scores, {}, metrics)


def cut(data: TrainingData, settings: DetectorSettings) -> tuple[Windows, Windows]:
    """Windows to learn from, and later ones that are held out.

    Raises:
        ConfigError: Nothing can be learnt from the data; names the column or the rows that are missing.
    """
    window = settings.window
    check_trainable(data, window)
    fallback = data.means()
    parts = split_by_time(data, (1.0 - settings.held_out, settings.held_out), look_back=window - 1)
    step = max(1, data.rows // settings.max_windows)
    train, held_out = (windows_of(part, window, fallback=fallback, step=step) for part in parts)
    if len(train) < FEWEST_WINDOWS or not len(held_out):
        needed = math.ceil((window + FEWEST_WINDOWS) / (1.0 - settings.held_out))
        raise ConfigError(
            f"{data.shown} has {data.rows} rows, too few to learn windows of {window} from and to hold some back",
            fix=f"give at least {needed} rows in a row, or a smaller --window",
        )
    return train, held_out


def training_record(data: TrainingData, settings: DetectorSettings, made: Detector) -> Mapping[str, Any]:
    """How a detector was trained, for people: what lies beside the version as `training.json`."""
    return {
        "task": TASK,
        "architecture": settings.architecture,
        "data": data.document(),
        "settings": {name: getattr(settings, name) for name in settings.__slots__},
        "threshold": made.calibrated.threshold,
        "levels": made.calibrated.levels.model_dump(),
        "metrics": dict(made.metrics),
        "parts": {
            name: {
                "threshold": part.calibrated.threshold,
                "difference_to_onnx": part.difference,
                "epochs": len(part.curves.training) if part.curves else 0,
                "kept_epoch": part.curves.best_epoch + 1 if part.curves else None,
                "training_loss": list(part.curves.training) if part.curves else [],
                "held_out_loss": list(part.curves.held_out) if part.curves else [],
            }
            for name, part in made.parts.items()
        },
    }


def _joined(
    parts: Mapping[str, Part], held_out: Windows, settings: DetectorSettings, folder: Path
) -> tuple[Path, NDArray[np.float32], Calibrated]:
    if len(parts) == 1:
        (part,) = parts.values()
        return part.file, part.scores, part.calibrated
    first, second = parts.values()
    file = folder / "combined.onnx"
    thresholds = (first.calibrated.threshold, second.calibrated.threshold)
    writer = GraphWriter(settings.window, held_out.shape[2])
    both = (first.write(writer, INPUT), second.write(writer, INPUT))
    writer.write(larger_of(writer, *both, thresholds), file)
    scores = run_file(file, held_out)[SCORE]
    own = calibrate(scores, "quantile", settings.quantile)  # of the levels alone: its threshold is 1 by making
    levels = own.levels.model_copy(
        update={
            "low": 1.0,
            "medium": max(own.levels.medium, 1.25),
            "high": max(own.levels.high, 1.75),
            "critical": max(own.levels.critical, 3.0),
        }
    )
    return file, scores, Calibrated(1.0, levels, first.calibrated.expected + second.calibrated.expected)


def _spec(
    data: TrainingData,
    settings: DetectorSettings,
    normal: Normal,
    calibrated: Calibrated,
    metrics: Mapping[str, float],
    created: str,
) -> SeriesSpec:
    return SeriesSpec(
        features=data.features,
        window=settings.window,
        period_ms=data.period_ms,
        impute="hold",
        fallback=tuple(float(mean) for mean in normal.centre),
        threshold=calibrated.threshold,
        levels=calibrated.levels,
        kind=settings.architecture,
        trained=Trained(
            data_sha256=data.sha256,
            rows=data.rows,
            seed=settings.seed,
            metrics=dict(metrics),
            created=created,
            torch=_torch_version() if settings.architecture != "streaming" else None,
        ),
    )


def _torch_version() -> str:
    import torch

    return str(torch.__version__)
