"""Trains the LSTM autoencoder and writes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vss.training.anomaly.detector import DetectorSettings, Part
from vss.training.anomaly.graph import PARTS, SCORE, GraphWriter
from vss.training.anomaly.networks import Autoencoder, drawing_loss
from vss.training.anomaly.normal import Normal, wandering
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

    The threshold is set on copies of held-out windows whose levels have wandered on: it shall hold later too.

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
        learnt, kept_back = (_residuals(network, windows) for windows in (train, held_out))
        wandered = settings.drift * normal.wander / network.scale.numpy()
        mean_square = np.maximum((learnt**2).mean(axis=0), (kept_back**2).mean(axis=0))
        unit = np.sqrt(np.maximum(mean_square + wandered**2, 1e-12))
        network.unit.copy_(torch.from_numpy(unit.astype(np.float32)))
        outputs = [one.numpy() for one in network(torch.from_numpy(held_out[:_COMPARED]))]
    further = wandering(kept_back, wandered, np.random.default_rng(settings.seed))
    scores = np.sqrt(((further / unit) ** 2).mean(axis=1)).astype(np.float32)
    writer = GraphWriter(settings.window, len(normal.centre))
    writer.write(network.write(writer, INPUT), file)
    difference = check_same(file, {SCORE: outputs[0], PARTS: outputs[1]}, held_out[:_COMPARED])
    return Part(
        network.write, file, scores, calibrate(scores, settings.threshold, settings.quantile), curves, difference
    )


def _residuals(network: Autoencoder, windows: Windows) -> NDArray[np.float64]:
    import torch

    found = [network.residual(torch.from_numpy(windows[at : at + 256])) for at in range(0, len(windows), 256)]
    residuals: NDArray[np.float64] = torch.cat(found).double().numpy()
    return residuals
