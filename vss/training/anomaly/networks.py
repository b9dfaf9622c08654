"""What runs on a window: an LSTM autoencoder, and the statistics that an isolation forest looks at.

Both take (n, W, F) float32 in raw units and hold all scaling inside; each says beside its arithmetic in PyTorch, which
training needs, the same as operators of ONNX, which workers run. `check_same` holds one against the other.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vss.training.anomaly.graph import GraphWriter, Judged
from vss.training.anomaly.normal import Normal

# Beyond this many spreads a value says no more, and its square still fits float32.
_FURTHEST: Final = 1e4
_EPSILON: Final = 1e-6


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.tensor(values.astype(np.float32))


def _scaled(writer: GraphWriter, centre: Tensor, scale: Tensor, name: str) -> str:
    shifted = writer.op("Sub", name, writer.constant(centre))
    divided = writer.op("Div", shifted, writer.constant(scale))
    clipped: str = writer.op("Clip", divided, writer.constant(-_FURTHEST), writer.constant(_FURTHEST))
    return clipped


class Autoencoder(nn.Module):
    """Squeezes a window through a few numbers and draws it again; what is unlike normal comes out otherwise.

    Its score looks at the newest `tail` readings alone: how far, on average over them, each feature lies from what was
    drawn, in units of how far it lies in normal windows. Noise averages out, a shift of level stays; and an anomaly
    that has passed leaves the score soon, though it is still in the window.

    Args:
        window: Readings in a window.
        normal: What is normal.
        tail: Newest readings that the score is about.
        hidden: Of the LSTMs.
        code: Numbers that a window is squeezed through.
        drift: How many times as far as during training a level may wander.
    """

    def __init__(self, window: int, normal: Normal, *, tail: int, hidden: int, code: int, drift: float) -> None:
        super().__init__()
        features = len(normal.centre)
        self.window, self.tail = window, tail
        self.register_buffer("centre", _tensor(normal.centre))
        self.register_buffer("scale", _tensor(np.hypot(normal.spread, drift * normal.wander)))
        self.register_buffer("unit", torch.ones(features))
        self.encoder = nn.LSTM(features, hidden, batch_first=True)
        self.squeeze = nn.Linear(hidden, code)
        self.decoder = nn.LSTM(code, hidden, batch_first=True)
        self.draw = nn.Linear(hidden, features)

    def scaled(self, window: Tensor) -> Tensor:
        """Raw units to spreads around the mean, what is far beyond cut off."""
        return torch.clamp((window - self.centre) / self.scale, -_FURTHEST, _FURTHEST)

    def drawn(self, scaled: Tensor) -> Tensor:
        """The window as it comes out again, scaled."""
        _, (state, _) = self.encoder(scaled)
        code = self.squeeze(state[-1]).unsqueeze(1).expand(-1, self.window, -1)
        steps, _ = self.decoder(code)
        drawn: Tensor = self.draw(steps)
        return drawn

    def residual(self, window: Tensor) -> Tensor:
        """(n, F): mean difference over the newest readings, scaled."""
        scaled = self.scaled(window)
        return (scaled - self.drawn(scaled))[:, -self.tail :].mean(dim=1)

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """Score (n,) and its parts by feature (n, F), which sum to it."""
        parts = (self.residual(window) / self.unit) ** 2
        score = torch.sqrt(parts.mean(dim=1))
        return score, parts / (parts.sum(dim=1, keepdim=True) + _EPSILON) * score.unsqueeze(1)

    def write(self, writer: GraphWriter, window: str) -> Judged:
        """Adds `forward` to a graph."""
        op, axes = writer.op, writer.axes
        steps = op("Transpose", _scaled(writer, self.centre, self.scale, window), perm=[1, 0, 2])
        _, state, _ = self._lstm(writer, self.encoder, steps)
        weight, bias = (writer.constant(one.detach().numpy().T) for one in (self.squeeze.weight, self.squeeze.bias))
        code = op("Add", op("MatMul", state, weight), bias)  # (1, n, Z)
        repeated = op("Expand", code, writer.constant([self.window, 1, 1], np.int64))
        hidden, _, _ = self._lstm(writer, self.decoder, repeated)
        newest = op("Squeeze", writer.last(hidden, self.tail, 0, 0), axes(1))
        # Drawing is linear, so the mean of what is drawn is what is drawn of the mean.
        weight, bias = (writer.constant(one.detach().numpy().T) for one in (self.draw.weight, self.draw.bias))
        mean_hidden = op("ReduceMean", newest, axes(0), keepdims=0)
        drawn = op("Add", op("MatMul", mean_hidden, weight), bias)
        seen = op("ReduceMean", writer.last(steps, self.tail, 0, 0), axes(0), keepdims=0)
        out = op("Div", op("Sub", seen, drawn), writer.constant(self.unit))
        parts = op("Mul", out, out)
        score = op("Sqrt", op("ReduceMean", parts, axes(1), keepdims=0))
        total = op("Add", op("ReduceSum", parts, axes(1), keepdims=1), writer.constant(_EPSILON))
        return Judged(score, op("Mul", op("Div", parts, total), op("Unsqueeze", score, axes(1))))

    @staticmethod
    def _lstm(writer: GraphWriter, lstm: nn.LSTM, steps: str) -> list[str]:
        """(W, n, in) → all states (W, 1, n, H), the last (1, n, H), and its cell. ONNX wants gates as i, o, f, c."""

        def gates(weights: Tensor) -> NDArray[np.float32]:
            i, f, c, o = np.split(weights.detach().numpy(), 4)
            return np.concatenate([i, o, f, c])

        bias = np.concatenate([gates(lstm.bias_ih_l0), gates(lstm.bias_hh_l0)])
        outputs: list[str] = writer.op(
            "LSTM",
            steps,
            writer.constant(gates(lstm.weight_ih_l0)[None]),
            writer.constant(gates(lstm.weight_hh_l0)[None]),
            writer.constant(bias[None]),
            outputs=3,
            hidden_size=lstm.hidden_size,
        )
        return outputs


def drawing_loss(network: Autoencoder, windows: Tensor) -> Tensor:
    """Mean squared difference between scaled windows and what was drawn of them."""
    scaled = network.scaled(windows)
    return ((network.drawn(scaled) - scaled) ** 2).mean()


class Statistics(nn.Module):
    """A window in three numbers a feature, of its newest readings: level, logarithm of the variance, change of level.

    Args:
        normal: What is normal.
        tail: How many readings the newest are; the change is against as many before them.
    """

    def __init__(self, normal: Normal, *, tail: int) -> None:
        super().__init__()
        self.tail = tail
        self.features = len(normal.centre)
        self.register_buffer("centre", _tensor(normal.centre))
        self.register_buffer("scale", _tensor(normal.spread))
        self.register_buffer("usual", torch.zeros(3 * self.features))
        self.register_buffer("unit", torch.ones(3 * self.features))

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """Statistics (n, 3F), and by feature (n, F) how far out its furthest lies, as shares that sum to 1."""
        scaled = torch.clamp((window - self.centre) / self.scale, -_FURTHEST, _FURTHEST)
        newest = scaled[:, -self.tail :]
        level = newest.mean(dim=1)
        variance = ((newest - level.unsqueeze(1)) ** 2).mean(dim=1)
        before = scaled[:, -2 * self.tail : -self.tail].mean(dim=1)
        statistics = torch.cat([level, torch.log(variance + _EPSILON), level - before], dim=1)
        out = ((statistics - self.usual) / self.unit) ** 2
        furthest = out.reshape(-1, 3, self.features).amax(dim=1) + _EPSILON
        return statistics, furthest / furthest.sum(dim=1, keepdim=True)

    def write(self, writer: GraphWriter, window: str) -> tuple[str, str]:
        """Adds `forward` to a graph."""
        op, axes = writer.op, writer.axes
        scaled = _scaled(writer, self.centre, self.scale, window)
        newest = writer.last(scaled, self.tail, 0, 1)
        level = op("ReduceMean", newest, axes(1), keepdims=0)
        away = op("Sub", newest, op("Unsqueeze", level, axes(1)))
        variance = op("ReduceMean", op("Mul", away, away), axes(1), keepdims=0)
        logarithm = op("Log", op("Add", variance, writer.constant(_EPSILON)))
        before = op("ReduceMean", writer.last(scaled, 2 * self.tail, self.tail, 1), axes(1), keepdims=0)
        statistics = op("Concat", level, logarithm, op("Sub", level, before), axis=1)
        out = op("Div", op("Sub", statistics, writer.constant(self.usual)), writer.constant(self.unit))
        by_kind = op("Reshape", op("Mul", out, out), writer.constant([-1, 3, self.features], np.int64))
        furthest = op("Add", op("ReduceMax", by_kind, axes(1), keepdims=0), writer.constant(_EPSILON))
        return statistics, op("Div", furthest, op("ReduceSum", furthest, axes(1), keepdims=1))
