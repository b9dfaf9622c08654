"""Trains the LSTM autoencoder and writes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vss.training.anomaly.detector import DetectorSettings, Part
from vss.training.anomaly.graph import PARTS, SCORE, GraphWriter
from vss.training.anomaly.networks import Autoencoder, drawing_loss
from vss.training.anomaly.normal import Normal
from vss.training.anomaly.threshold import calibrate
from vss.training.data.split import Windows
from vss.training.fitting import FitSettings, OnEpoch, fit
from vss.training.series_file import INPUT, check_same

if TYPE_CHECKING:
    import torch

_BATCH = 32
_LEARNING_RATE = 3e-3
_PATIENCE = 6
_COMPARED = 256


def train_autoencoder(
    normal: Normal,
    train: Windows,
    held_out: Windows,
    settings: DetectorSettings,
    device: torch.device,
    file: Path,
    on_epoch: OnEpoch | None = None,
) -> Part:
    """Trains until held-out windows are drawn no better, sets each feature's unit by them, and the threshold.

    Args:
        normal: What is normal.
        train: (n, W, F) to learn from.
        held_out: (m, W, F) to stop and to calibrate by.
        settings: How.
        device: Where to train.
        file: ONNX, to write.
        on_epoch: Told of each epoch.
    """
    import torch

    network = Autoencoder(
        settings.window,
        normal,
        tail=settings.newest,
        hidden=settings.hidden,
        code=settings.code,
        drift=settings.drift,
    ).to(device)
    curves = fit(
        network,
        drawing_loss,
        torch.from_numpy(train).to(device),
        torch.from_numpy(held_out).to(device),
        FitSettings(settings.epochs, _PATIENCE, _BATCH if len(train) < 10_000 else 256, _LEARNING_RATE),
        device=device,
        on_epoch=on_epoch,
    )
    network = network.cpu().eval()
    with torch.no_grad():
        # The larger of the two: what was held out has wandered away from what was learnt, as what comes will.
        seen = [_mean_square(network, windows) for windows in (train, held_out)]
        wandered = settings.drift * normal.wander / network.scale.numpy()
        network.unit.copy_(torch.tensor(np.sqrt(np.maximum(*seen) + wandered**2).astype(np.float32)))
        outputs = [network(torch.from_numpy(held_out[at : at + 256])) for at in range(0, len(held_out), 256)]
    scores = torch.cat([score for score, _ in outputs]).numpy()
    parts = torch.cat([by_feature for _, by_feature in outputs]).numpy()
    writer = GraphWriter(settings.window, len(normal.centre))
    writer.write(network.write(writer, INPUT), file)
    some = slice(0, _COMPARED)
    difference = check_same(file, {SCORE: scores[some], PARTS: parts[some]}, held_out[some])
    return Part(
        network.write, file, scores, calibrate(scores, settings.threshold, settings.quantile), curves, difference
    )


def _mean_square(network: Autoencoder, windows: Windows) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    import torch

    residuals = [network.residual(torch.from_numpy(windows[at : at + 256])) for at in range(0, len(windows), 256)]
    mean_square: np.ndarray[tuple[int], np.dtype[np.float64]] = (
        torch.cat(residuals).double().pow(2).mean(dim=0).clamp_min(1e-12).numpy()
    )
    return mean_square
