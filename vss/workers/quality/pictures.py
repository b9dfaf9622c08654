"""What is wrong with a camera's pictures."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vss.codecs.images import ImageInfo, decode_image
from vss.config import QualitySettings
from vss.workers.quality.arrivals import Arrival, Arrivals
from vss.workers.quality.episodes import Change, Episodes, Topic, Where

Thumbnail = NDArray[np.uint8]
"""Shape (height, width): grey levels 0..255 of a picture made small."""

_DECODE_WH: Final = (320, 180)
_THUMBNAIL_WH: Final = (64, 36)
_SHARPNESS_KEPT: Final = 31
_BLACK_MEAN: Final = 20.0
_BLACK_SPREAD: Final = 6.0
_FROZEN, _BLACK, _BLURRED = Topic("frozen"), Topic("black"), Topic("blurred")


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture looks like.

    Attributes:
        thumbnail: It, small and grey.
        mean: Grey level.
        spread: Standard deviation of the grey levels.
        sharpness: Variance of the Laplacian (Pech-Pacheco et al., 2000) of the picture at 320 pixels or a little more.
    """

    thumbnail: Thumbnail
    mean: float
    spread: float
    sharpness: float


def look_at(value: bytes, info: ImageInfo) -> Look:
    """Decodes a picture as small as will do.

    Raises:
        UndecodableImage: The bytes are no whole image.
    """
    grey = cv2.cvtColor(decode_image(value, info, at_least=_DECODE_WH), cv2.COLOR_BGR2GRAY)
    if grey.shape[1] > 2 * _DECODE_WH[0]:
        grey = cv2.resize(grey, _DECODE_WH, interpolation=cv2.INTER_AREA)
    thumbnail = cv2.resize(grey, _THUMBNAIL_WH, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    sharpness = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return Look(thumbnail, float(thumbnail.mean()), float(thumbnail.std()), sharpness)


class CameraWatch:
    """Watches one camera.

    Args:
        settings: What is wrong.

    Attributes:
        episodes: Its problems.
        arrivals: Its last frames.
    """

    def __init__(self, settings: QualitySettings) -> None:
        self.episodes = Episodes()
        self.arrivals = Arrivals()
        self._settings = settings
        self._thumbnail: Thumbnail | None = None
        self._sharpness: deque[tuple[int, float]] = deque(maxlen=_SHARPNESS_KEPT)

    def look(self, arrival: Arrival, look: Look) -> Iterator[Change]:
        """Takes a frame in.

        Args:
            arrival: The record.
            look: What it looks like.
        """
        at = Where(arrival.offset, arrival.ts_ms)
        black = look.mean < _BLACK_MEAN and look.spread < _BLACK_SPREAD
        yield from self._frozen(look, at, black=black)
        yield from self._for_some_frames(_BLACK, black, at, f"grey level {look.mean:.0f} of 255")
        yield from self._blurred(look, at, black=black)
        self.arrivals.add(arrival)

    def oldest_offset(self) -> int:
        """The first offset that its state needs."""
        needed = [self.arrivals.oldest_offset]
        if self._sharpness:
            needed.append(self._sharpness[0][0])
        if (untold := self.episodes.oldest_untold()) is not None:
            needed.append(untold)
        return min(needed)

    def _frozen(self, look: Look, at: Where, *, black: bool) -> Iterator[Change]:
        # A dark picture has nothing in it that could move.
        if black or self._thumbnail is None or not np.array_equal(look.thumbnail, self._thumbnail):
            yield from self.episodes.end(_FROZEN, at, "the picture changes")
            self._thumbnail = None if black else look.thumbnail
        if black:
            return
        run = self.episodes.holds(_FROZEN, at)
        lasted_s = (at.ts_ms - run.since.ts_ms) / 1000
        if run.records >= self._settings.frames and lasted_s >= self._settings.frozen_after_s:
            yield from self.episodes.begin(_FROZEN, at, f"the same picture for {lasted_s:.0f} s")

    def _blurred(self, look: Look, at: Where, *, black: bool) -> Iterator[Change]:
        usual = self._usual_sharpness()
        limit = self._settings.blur_ratio * usual if usual is not None else 0.0
        blurred = not black and usual is not None and look.sharpness < limit
        detail = f"sharpness {look.sharpness:.0f}" + (f", usually {usual:.0f}" if usual is not None else "")
        yield from self._for_some_frames(_BLURRED, blurred, at, detail)
        # What is blurred shall not become what is usual.
        if not black and not blurred:
            self._sharpness.append((at.offset, look.sharpness))

    def _usual_sharpness(self) -> float | None:
        if len(self._sharpness) < _SHARPNESS_KEPT:
            return None
        return statistics.median(sharpness for _, sharpness in self._sharpness)

    def _for_some_frames(self, about: Topic, so: bool, at: Where, detail: str) -> Iterator[Change]:
        if not so:
            yield from self.episodes.end(about, at, detail)
        elif self.episodes.holds(about, at).records >= self._settings.frames:
            yield from self.episodes.begin(about, at, detail)
