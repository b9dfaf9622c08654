"""A Transformer over segments ("patches") of the window, every feature by itself with shared weights.

Nie et al., "A Time Series is Worth 64 Words: Long-term Forecasting with Transformers", ICLR 2023. The segments do not
overlap here, and normalisation comes before each layer, which needs no slow start of the learning rate (Xiong et al.,
"On Layer Normalization in the Transformer Architecture", ICML 2020).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vss.training.forecast.networks.segments import joined, segment_count, segment_length, segmented

WIDTH = 32
HEADS = 4
LAYERS = 2
DROPOUT = 0.2


class _Layer(nn.Module):
    """Attention between segments, then two linear layers at each."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self._heads = heads
        self.before_attention, self.before_mixing = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask = nn.Linear(width, 3 * width)
        self.answer = nn.Linear(width, width)
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, segments, width) → the same."""
        _, count, width = tokens.shape
        asked = self.ask(self.before_attention(tokens)).reshape(-1, count, 3, self._heads, width // self._heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        heard = nn.functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.dropout(self.answer(heard.transpose(1, 2).reshape(-1, count, width)))
        mixed: Tensor = tokens + self.dropout(self.mix(self.before_mixing(tokens)))
        return mixed


class SegmentTransformer(nn.Module):
    """The network.

    Args:
        lookback: Readings of a window.
        horizon: Steps that are foretold.
        features: Of a reading.
        width: Numbers that stand for a segment.
        layers: One after the other.
        dropout: Share of numbers that training leaves out.
    """

    def __init__(
        self,
        lookback: int,
        horizon: int,
        features: int,
        width: int = WIDTH,
        layers: int = LAYERS,
        dropout: float = DROPOUT,
    ) -> None:
        super().__init__()
        self._features = features
        count = segment_count(lookback)
        self.embed = nn.Linear(segment_length(lookback), width)
        self.place = nn.Parameter(torch.randn(count, width) * 0.02)
        self.layers = nn.Sequential(*(_Layer(width, HEADS, dropout) for _ in range(layers)))
        self.normalise = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(count * width, horizon)

    def forward(self, windows: Tensor) -> Tensor:
        """(n, L, F) → (n, H, F), both normalised."""
        tokens = self.normalise(self.layers(self.embed(segmented(windows)) + self.place))
        return joined(self.head(self.dropout(tokens.flatten(1))), self._features)
