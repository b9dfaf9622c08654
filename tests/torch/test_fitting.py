from itertools import count
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-torch")

from torch import nn

from vss.errors import ConfigError
from vss.training.fitting import FitSettings, fit, mean_loss
from vss.training.torch_setup import prepare_torch


class Point(nn.Module):
    """One number, which learning moves towards the mean of what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.zeros(1))


def away(network: Any, batch: Any) -> Any:
    return ((network.at - batch) ** 2).mean()


TRAIN = torch.full((8, 1), 4.0)


def test_the_weights_of_the_best_held_out_loss_are_kept_and_patience_ends_it() -> None:
    network = Point()
    seen: list[int] = []
    settings = FitSettings(epochs=500, patience=5, batch=8, learning_rate=0.1)
    # Held out lies on the way, so that going on makes it worse.
    curves = fit(network, away, TRAIN, torch.full((3, 1), 1.0), settings, on_epoch=lambda epoch, *_: seen.append(epoch))
    assert float(network.at.detach()) == pytest.approx(1.0, abs=0.06)
    assert curves.held_out[curves.best_epoch] == min(curves.held_out)
    assert len(curves.training) == curves.best_epoch + 1 + 5
    assert seen == list(range(1, len(curves.training) + 1))
    assert mean_loss(network, away, torch.full((3, 1), 1.0), 2) == pytest.approx(min(curves.held_out))


def test_an_epoch_that_would_end_too_late_is_not_begun() -> None:
    ticks = count(0.0, 10.0)
    settings = FitSettings(epochs=100, patience=100, batch=8, learning_rate=0.01, stop_after_s=45.0)
    curves = fit(Point(), away, TRAIN, TRAIN, settings, clock=lambda: next(ticks))
    assert len(curves.training) == 4


def test_a_loss_that_is_no_number_ends_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="the loss of epoch 1 is no number"):
        fit(Point(), away, torch.full((8, 1), float("nan")), TRAIN, FitSettings(epochs=3))


def test_a_device_that_is_not_there_is_refused() -> None:
    assert str(prepare_torch(0, "cpu")) == "cpu"
    with pytest.raises(ConfigError, match="no device"):
        prepare_torch(0, "tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="CUDA"):
            prepare_torch(0, "cuda")
