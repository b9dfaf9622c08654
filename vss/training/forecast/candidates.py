"""Trains each architecture, and chooses among them and their means by the error on windows that taught none of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import nn

from vss.training.curves import Curves
from vss.training.fitting import FitSettings, fit
from vss.training.forecast.examples import WindowExamples, huber_loss
from vss.training.forecast.foretold import Foretold, foretell
from vss.training.forecast.networks.linear import Linear
from vss.training.forecast.networks.lstm import SegmentLstm
from vss.training.forecast.networks.normalised import InstanceNormalised, Mean
from vss.training.forecast.networks.transformer import SegmentTransformer
from vss.training.forecast.ridge import fit_line
from vss.training.forecast.settings import ARCHITECTURES, ForecastSettings
from vss.training.forecast.split import Parts
from vss.training.forecast.windows import Floats
from vss.training.series_file import MAX_MODEL_BYTES

WINDOWS_AN_EPOCH: Final = 8_192
HELD_OUT_WINDOWS: Final = 4_096
_BATCH: Final = 64
_LEARNING_RATE: Final = 1e-3
_WEIGHT_DECAY: Final = 1e-4
_MOST_WEIGHTS: Final = int(0.95 * MAX_MODEL_BYTES / 4)
"""Of a line of its own for each feature: all of it has to fit into a model's file."""

OnEpoch = Callable[[str, int, float, float], None]
"""Told of an architecture's epoch, from 1 on, with its training and held-out loss."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A trained architecture, or the mean of some.

    Attributes:
        name: `dlinear`, `lstm`, `transformer`, or some of them joined by `+`.
        network: (n, L, F) → (n, H, F), both standardised; on the CPU.
        error: Mean square error on the validation windows, standardised.
        judged: What it says of these windows.
        curves: Of its training; without epochs where there were none.
        seconds: It took.
        notes: What was chosen on the way, for people.
    """

    name: str
    network: nn.Module
    error: float
    judged: Foretold
    curves: Curves
    seconds: float
    notes: str = ""


def train_candidates(
    parts: Parts,
    settings: ForecastSettings,
    device: torch.device,
    *,
    clock: Callable[[], float],
    on_epoch: OnEpoch | None = None,
    on_trained: Callable[[Candidate], None] | None = None,
) -> list[Candidate]:
    """Trains the architecture that the settings name, or for `auto` each of them within its share of the time left.

    Args:
        parts: Of the readings.
        settings: What to train.
        device: Where.
        clock: Monotonic seconds.
        on_epoch: See `OnEpoch`.
        on_trained: Told of each when it is done.
    """
    names = ARCHITECTURES if settings.arch == "auto" else (settings.arch,)
    started = clock()
    found: list[Candidate] = []
    for place, name in enumerate(names):
        left = None
        if settings.budget_s is not None:
            left = max(0.0, settings.budget_s - (clock() - started)) / (len(names) - place)
        one = _train(name, parts, settings, device, left, clock, on_epoch)
        found.append(one)
        if on_trained is not None:
            on_trained(one)
    return found


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The one with the least validation error, among all and the means of any of them.

    Args:
        candidates: Trained on the same parts.
    """
    found = list(candidates)
    for count in range(2, len(candidates) + 1):
        for some in itertools.combinations(candidates, count):
            mean: Floats = np.mean([one.judged.values for one in some], axis=0, dtype=np.float32)
            judged = replace(some[0].judged, values=mean)
            network = Mean(*(one.network for one in some))
            seconds = sum(one.seconds for one in some)
            name = "+".join(one.name for one in some)
            found.append(Candidate(name, network, judged.square_error(), judged, Curves((), (), 0), seconds))
    return min(found, key=lambda one: one.error if math.isfinite(one.error) else math.inf)


def _train(
    name: str,
    parts: Parts,
    settings: ForecastSettings,
    device: torch.device,
    left_s: float | None,
    clock: Callable[[], float],
    on_epoch: OnEpoch | None,
) -> Candidate:
    began = clock()
    # Each begins from the seed, so that it comes out the same whatever was trained before it.
    torch.manual_seed(settings.seed)
    curves, notes = Curves((), (), 0), ""
    if name == "dlinear":
        line = fit_line(parts.training, parts.validation, most_weights=_MOST_WEIGHTS)
        network: nn.Module = InstanceNormalised(Linear(line.weights, line.bias))
        notes = f"penalty {line.penalty:g}, own share {line.own_share:g}"
    else:
        shape = parts.training.lookback, parts.training.horizon, parts.training.features
        inner = SegmentLstm(*shape) if name == "lstm" else SegmentTransformer(*shape)
        network = InstanceNormalised(inner).to(device)
        curves = fit(
            network,
            huber_loss,
            WindowExamples(parts.training, device, at_most=WINDOWS_AN_EPOCH, drawn=True),
            WindowExamples(parts.validation, device, at_most=HELD_OUT_WINDOWS, drawn=False),
            FitSettings(
                epochs=settings.epochs,
                patience=settings.patience,
                batch=_BATCH,
                learning_rate=_LEARNING_RATE,
                weight_decay=_WEIGHT_DECAY,
                schedule="cosine",
                stop_after_s=left_s,
            ),
            device=device,
            on_epoch=(lambda epoch, learnt, held: on_epoch(name, epoch, learnt, held)) if on_epoch else None,
            clock=clock,
        )
        network = network.cpu()
    judged = foretell(network, parts.validation.thinned(HELD_OUT_WINDOWS))
    return Candidate(name, network, judged.square_error(), judged, curves, clock() - began, notes)
