"""Draws the pump's run: features and anomaly score over time, when the fault started and when it was flagged."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vss.codecs.images import Image, encode_image
from vss.demo.pump import FEATURES
from vss.demo.pump.verdict import PumpLog, PumpResult
from vss.errors import ConfigError

_WIDTH: Final = 1280
_LEFT, _RIGHT, _TOP, _BOTTOM = 200, 24, 56, 40
_STRIP: Final = 104
_SCORE_STRIP: Final = 150
_GAP: Final = 14
# The drawing's letters know neither degrees nor powers.
_UNITS: Final = {"vibration": "mm/s RMS", "temperature": "deg C", "pressure": "bar", "flow": "m3/h", "current": "A"}
# BGR
_PAPER, _FRAME, _INK, _DIM = (24, 24, 24), (70, 70, 70), (230, 230, 230), (150, 150, 150)
_CURVE, _SCORE, _FAULT, _FLAGGED = (235, 190, 90), (120, 220, 120), (80, 80, 240), (60, 200, 250)
_LEAST_SCORE: Final = 0.1

Floats = NDArray[np.float64]


def write_chart(log: PumpLog, result: PumpResult, file: Path, *, began_ms: int) -> Path | None:
    """Writes a PNG.

    Args:
        log: What the topics hold.
        result: What became of it.
        file: To write.
        began_ms: When the demo's time began, which is 0 on the axis.

    Returns:
        The file; None where there is nothing to draw.

    Raises:
        ConfigError: The file cannot be written.
    """
    if len(log.ts_ms) < 2:
        return None
    try:
        file.write_bytes(encode_image(draw(log, result, began_ms=began_ms), "png"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}", fix="make room on the disk") from error
    return file


def draw(log: PumpLog, result: PumpResult, *, began_ms: int) -> Image:
    """The picture; see `write_chart`.

    Returns:
        (H, 1280, 3) BGR.
    """
    times_s = (log.ts_ms - began_ms) / 1000
    height = _TOP + len(FEATURES) * (_STRIP + _GAP) + _SCORE_STRIP + _BOTTOM
    chart = _Chart(np.full((height, _WIDTH, 3), _PAPER, np.uint8), float(times_s[0]), float(times_s[-1]))
    top = _TOP
    for column, feature in enumerate(FEATURES):
        values = log.values[:, column].astype(np.float64)
        chart.strip(feature, _UNITS[feature], top, _STRIP)
        low, high = _limits(values)
        chart.curve(times_s, values, top, _STRIP, low, high, _CURVE)
        chart.scale(top, _STRIP, f"{high:.4g}", f"{low:.4g}")
        top += _STRIP + _GAP
    _draw_score(chart, log, top, began_ms)
    chart.seconds(height - _BOTTOM)
    if result.fault_s is not None:
        chart.moment(result.fault_s, height - _BOTTOM, _FAULT, f"bearing fault {result.fault_s:.1f} s", before=True)
        if result.flagged_after_s is not None:
            at_s = result.fault_s + result.flagged_after_s
            chart.moment(at_s, height - _BOTTOM, _FLAGGED, f"flagged {at_s:.1f} s", before=False)
    return chart.image


def _draw_score(chart: _Chart, log: PumpLog, top: int, began_ms: int) -> None:
    """Scores as shares of the threshold, by their logarithm: a whole defect is many times the threshold."""
    chart.strip("anomaly score", "of its threshold", top, _SCORE_STRIP)
    if not log.events:
        return
    shares = np.array([event.anomaly_score / event.threshold for event in log.events])
    highest = max(10.0, float(shares.max()) * 1.3)
    low, high = float(np.log10(_LEAST_SCORE)), float(np.log10(highest))
    ends_s = (log.ends_ms - began_ms) / 1000
    chart.level(top, _SCORE_STRIP, (0.0 - low) / (high - low), "threshold")
    chart.curve(ends_s, np.log10(np.maximum(shares, _LEAST_SCORE)), top, _SCORE_STRIP, low, high, _SCORE)
    chart.scale(top, _SCORE_STRIP, f"{highest:.3g}", f"{_LEAST_SCORE:g}")


def _limits(values: Floats) -> tuple[float, float]:
    """What a strip spans: all values, and a little beside them."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    margin = max((high - low) * 0.08, abs(high) * 1e-3, 1e-6)
    return low - margin, high + margin


class _Chart:
    """Strips that share a time axis.

    Args:
        image: To draw on.
        start_s: At the left.
        end_s: At the right.
    """

    def __init__(self, image: Image, start_s: float, end_s: float) -> None:
        self.image = image
        self._start_s, self._span_s = start_s, max(end_s - start_s, 1e-6)

    def strip(self, name: str, unit: str, top: int, height: int) -> None:
        """A frame, and beside it what is in it."""
        cv2.rectangle(self.image, (_LEFT, top), (_WIDTH - _RIGHT, top + height), _FRAME, 1)
        self._text(name, (16, top + 22), _INK, 0.55)
        self._text(unit, (16, top + 44), _DIM, 0.45)

    def scale(self, top: int, height: int, high: str, low: str) -> None:
        """What the frame's edges are."""
        self._text(high, (_LEFT - 52, top + 14), _DIM, 0.4)
        self._text(low, (_LEFT - 52, top + height - 4), _DIM, 0.4)

    def curve(
        self,
        times_s: Floats,
        values: Floats,
        top: int,
        height: int,
        low: float,
        high: float,
        colour: tuple[int, int, int],
    ) -> None:
        """Values over time; a value that is missing is a gap."""
        x = self._x(times_s)
        y = top + height - (values - low) / (high - low) * height
        known = np.isfinite(y)
        for piece in np.split(np.arange(len(x)), np.flatnonzero(~known)):
            piece = piece[known[piece]]
            points = np.stack([x[piece], y[piece]], axis=1)
            cv2.polylines(self.image, [np.rint(points * 16).astype(np.int32)], False, colour, 1, cv2.LINE_AA, 4)

    def level(self, top: int, height: int, share: float, name: str) -> None:
        """A line across a strip."""
        y = round(top + height - share * height)
        cv2.line(self.image, (_LEFT, y), (_WIDTH - _RIGHT, y), _FLAGGED, 1)
        self._text(name, (_LEFT + 8, y - 5), _FLAGGED, 0.4)

    def moment(self, at_s: float, bottom: int, colour: tuple[int, int, int], name: str, *, before: bool) -> None:
        """A line through all strips, with its name at the top."""
        x = round(float(self._x(np.array([at_s]))[0]))
        cv2.line(self.image, (x, _TOP - 8), (x, bottom), colour, 1)
        (width, _), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        # One name ends at its line and the other begins there, for the lines lie close together.
        self._text(name, (x - width - 6 if before else x + 6, _TOP - 18), colour, 0.5)

    def seconds(self, top: int) -> None:
        """The time axis."""
        step = next((one for one in (1, 2, 5, 10, 30, 60, 300) if self._span_s / one <= 16), 600)
        first = int(np.ceil(self._start_s / step)) * step
        for at_s in range(first, int(self._start_s + self._span_s) + 1, step):
            x = round(float(self._x(np.array([at_s]))[0]))
            cv2.line(self.image, (x, top), (x, top + 5), _DIM, 1)
            self._text(f"{at_s} s", (x - 10, top + 22), _DIM, 0.42)

    def _x(self, times_s: Floats) -> Floats:
        across: Floats = _LEFT + (times_s - self._start_s) / self._span_s * (_WIDTH - _RIGHT - _LEFT)
        return across

    def _text(self, text: str, place: tuple[int, int], colour: tuple[int, int, int], size: float) -> None:
        cv2.putText(self.image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
