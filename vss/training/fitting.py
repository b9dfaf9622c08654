"""Fits a network: epochs over shuffled batches, the weights of the best held-out loss kept, an end when none comes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from vss.errors import ConfigError
from vss.training.curves import Curves

if TYPE_CHECKING:
    import torch
    from torch import Tensor

OnEpoch = Callable[[int, float, float], None]
"""Told of each epoch, from 1 on, with its training and held-out loss."""


class Examples(Protocol):
    """What batches are taken from; for examples that overlap too much to lie in memory one by one."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def take(self, indices: Tensor) -> Any:
        """A batch: what the loss is given."""
        ...


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to fit.

    Attributes:
        epochs: At most.
        patience: Epochs without a lower held-out loss before the end.
        batch: Examples a step.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        schedule: Of the learning rate: `constant`, or `cosine` from it to nothing over all epochs.
        clip: Longest gradient.
        stop_after_s: An epoch that would end later is not begun.
    """

    epochs: int = 50
    patience: int = 8
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    clip: float = 1.0
    stop_after_s: float | None = None


class TensorExamples:
    """Examples that lie in tensors, the first axis counting them.

    Args:
        tensors: One, or some that belong together.
    """

    def __init__(self, *tensors: Tensor) -> None:
        self._tensors = tensors

    def __len__(self) -> int:
        return len(self._tensors[0])

    def take(self, indices: Tensor) -> Tensor | tuple[Tensor, ...]:
        """See `Examples`."""
        taken = tuple(one[indices] for one in self._tensors)
        return taken if len(taken) > 1 else taken[0]


def fit(
    network: torch.nn.Module,
    loss: Callable[[torch.nn.Module, Any], Tensor],
    train: Examples | Tensor | Sequence[Tensor],
    held_out: Examples | Tensor | Sequence[Tensor],
    settings: FitSettings,
    *,
    device: torch.device | None = None,
    on_epoch: OnEpoch | None = None,
    clock: Callable[[], float] | None = None,
) -> Curves:
    """Fits a network in place and leaves the best weights in it.

    Batches are shuffled by PyTorch's own generator, so `prepare_torch` decides what comes out.

    Args:
        network: On its device.
        loss: Of a batch, the mean over its examples.
        train: To learn from.
        held_out: To choose the epoch by.
        settings: How.
        device: Where indices are made; the CPU by default.
        on_epoch: Told after each epoch.
        clock: Monotonic seconds; needed for `stop_after_s`.

    Raises:
        ConfigError: A loss became no number.
    """
    import torch

    learnt, kept_back = _examples(train), _examples(held_out)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = None
    if settings.schedule == "cosine":
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.epochs)
    best, best_epoch, weights = float("inf"), 0, copy.deepcopy(network.state_dict())
    training: list[float] = []
    held: list[float] = []
    started = clock() if clock is not None else 0.0
    for epoch in range(settings.epochs):
        training.append(_epoch(network, loss, learnt, settings, optimiser, device))
        held.append(mean_loss(network, loss, kept_back, settings.batch, device=device))
        if schedule is not None:
            schedule.step()
        if on_epoch is not None:
            on_epoch(epoch + 1, training[-1], held[-1])
        if not math.isfinite(training[-1]):
            raise ConfigError(
                f"training went astray: the loss of epoch {epoch + 1} is no number",
                fix="look for values beyond all reason in the data, or try another --seed",
            )
        if held[-1] < best:
            best, best_epoch, weights = held[-1], epoch, copy.deepcopy(network.state_dict())
        elif epoch - best_epoch >= settings.patience:
            break
        if clock is not None and settings.stop_after_s is not None:
            spent = clock() - started
            if spent + spent / (epoch + 1) > settings.stop_after_s:
                break
    network.load_state_dict(weights)
    network.eval()
    return Curves(tuple(training), tuple(held), best_epoch)


def mean_loss(
    network: torch.nn.Module,
    loss: Callable[[torch.nn.Module, Any], Tensor],
    examples: Examples | Tensor | Sequence[Tensor],
    batch: int,
    *,
    device: torch.device | None = None,
) -> float:
    """The loss over all examples, nothing learnt."""
    import torch

    examples = _examples(examples)
    network.eval()
    total = 0.0
    with torch.no_grad():
        for indices in torch.arange(len(examples), device=device).split(batch):
            total += float(loss(network, examples.take(indices))) * len(indices)
    return total / max(len(examples), 1)


def _epoch(
    network: torch.nn.Module,
    loss: Callable[[torch.nn.Module, Any], Tensor],
    examples: Examples,
    settings: FitSettings,
    optimiser: torch.optim.Optimizer,
    device: torch.device | None,
) -> float:
    import torch

    network.train()
    total = 0.0
    order = torch.randperm(len(examples))
    for indices in (order.to(device) if device is not None else order).split(settings.batch):
        optimiser.zero_grad(set_to_none=True)
        value = loss(network, examples.take(indices))
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimiser.step()
        total += float(value.detach()) * len(indices)
    return total / max(len(examples), 1)


def _examples(given: Examples | Tensor | Sequence[Tensor]) -> Examples:
    if hasattr(given, "take") and not hasattr(given, "dtype"):
        return given
    return TensorExamples(*given) if isinstance(given, list | tuple) else TensorExamples(given)
