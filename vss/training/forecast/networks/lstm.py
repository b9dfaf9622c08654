"""An LSTM over segments of the window, whose last state gives all steps at once.

A step a segment instead of a step a value keeps the LSTM short, so that a window of hundreds of readings is learnt in
minutes on a CPU and its beginning is not forgotten (Lin et al., "SegRNN: Segment Recurrent Neural Network for Long-Term
Time Series Forecasting", 2023). All features share the weights.
"""

from __future__ import annotations

from torch import Tensor, nn

from vss.training.forecast.networks.segments import joined, segment_length, segmented

HIDDEN = 96
DROPOUT = 0.3


class SegmentLstm(nn.Module):
    """The network.

    Args:
        lookback: Readings of a window.
        horizon: Steps that are foretold.
        features: Of a reading.
        hidden: Numbers that the LSTM remembers.
        dropout: Share of them that training leaves out.
    """

    def __init__(
        self, lookback: int, horizon: int, features: int, hidden: int = HIDDEN, dropout: float = DROPOUT
    ) -> None:
        super().__init__()
        self._features = features
        self.embed = nn.Linear(segment_length(lookback), hidden)
        self.recur = nn.LSTM(hidden, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, horizon)

    def forward(self, windows: Tensor) -> Tensor:
        """(n, L, F) → (n, H, F), both normalised."""
        states, _ = self.recur(self.embed(segmented(windows)).relu())
        return joined(self.head(self.dropout(states[:, -1])), self._features)
