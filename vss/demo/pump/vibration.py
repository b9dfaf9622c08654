"""What an accelerometer on the bearing's housing sees, as velocity.

A shaft that is a little out of balance and out of line, the impeller's vanes that pass the tongue, the noise of the
flow; and, once there is a defect in the outer race, a blow each time a ball rolls over it, to which the housing rings
(P. D. McFadden and J. D. Smith, "Model for the vibration produced by a single point defect in a rolling element
bearing", Journal of Sound and Vibration 96, 1984). The blows do not come quite evenly, for the balls slip (Randall and
Antoni 2011, section 3).

How large is usual: ISO 20816-3 calls up to 1.4 mm/s new, above 4.5 mm/s dangerous (small machines, rigid feet).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.demo.pump.bearing import Bearing

SAMPLE_HZ: Final = 6400
_UNBALANCE: Final = 1.2
"""mm/s, peak, at 50 Hz; grows with the square of the speed."""
_MISALIGNMENT: Final = 0.35
_VANES: Final = 6
_VANE_PASS: Final = 0.3
_FLOW_NOISE: Final = 0.4
"""mm/s RMS at the best point; more beside it."""
_NOISE_BESIDE: Final = 2.0
RESONANCE_HZ: Final = 820.0
"""Of the housing."""
_DAMPING: Final = 0.04
_BLOW: Final = 12.0
"""mm/s, peak, that the housing rings with after a blow of a whole defect."""
_SLIP: Final = 0.015
"""Standard deviation of the time between two blows, as a share of it."""
_RING_S: Final = 0.03

Samples = NDArray[np.float64]


class Vibration:
    """Makes the velocity sample by sample; what rings at the end of a stretch rings on in the next.

    Args:
        bearing: Whose defect it is.
        rng: Chance.
    """

    def __init__(self, bearing: Bearing, rng: np.random.Generator) -> None:
        self._bearing = bearing
        self._rng = rng
        self._turned_rad = rng.uniform(0, 2 * math.pi)
        self._phases_rad = rng.uniform(0, 2 * math.pi, 2)
        self._next_blow_s = 0.0
        self._ringing: Samples = np.zeros(0)

    def stretch(self, seconds: float, shaft_hz: float, off_best: float, turbulence: float, severity: float) -> Samples:
        """The next stretch of time.

        Args:
            seconds: How long.
            shaft_hz: How fast the shaft turns.
            off_best: How far the flow lies from the best, as a share of it.
            turbulence: How loud the flow is, as a share of what is usual.
            severity: Of the defect in the outer race, 0..1.

        Returns:
            (seconds * SAMPLE_HZ,) mm/s.
        """
        count = round(seconds * SAMPLE_HZ)
        angle = self._turned_rad + 2 * math.pi * shaft_hz / SAMPLE_HZ * np.arange(count)
        self._turned_rad = (self._turned_rad + 2 * math.pi * shaft_hz / SAMPLE_HZ * count) % (2 * math.pi)
        velocity: Samples = _UNBALANCE * (shaft_hz / 50) ** 2 * np.sin(angle)
        velocity += _MISALIGNMENT * np.sin(2 * angle + self._phases_rad[0])
        velocity += _VANE_PASS * turbulence * (1 + abs(off_best)) * np.sin(_VANES * angle + self._phases_rad[1])
        velocity += _FLOW_NOISE * turbulence * (1 + _NOISE_BESIDE * off_best**2) * self._rng.standard_normal(count)
        velocity += self._blows(count, shaft_hz, severity)
        return velocity

    def _blows(self, count: int, shaft_hz: float, severity: float) -> Samples:
        """The housing's ringing, and what is left of it for the next stretch."""
        ring = round(_RING_S * SAMPLE_HZ)
        heard = np.zeros(count + ring + 1)
        heard[: len(self._ringing)] += self._ringing
        interval_s = 1 / self._bearing.outer_race_hz(shaft_hz)
        seconds = count / SAMPLE_HZ
        while self._next_blow_s < seconds:
            if severity > 0:
                first = math.ceil(self._next_blow_s * SAMPLE_HZ)
                since_s = np.arange(first, first + ring) / SAMPLE_HZ - self._next_blow_s
                omega = 2 * math.pi * RESONANCE_HZ
                fading = np.exp(-_DAMPING * omega * since_s)
                heard[first : first + ring] += (
                    _BLOW * severity * fading * np.sin(omega * math.sqrt(1 - _DAMPING**2) * since_s)
                )
            self._next_blow_s += interval_s * (1 + _SLIP * self._rng.standard_normal())
        self._next_blow_s -= seconds
        self._ringing = heard[count:]
        return heard[:count]


def rms(velocity: Samples) -> float:
    """Root of the mean square: what a vibration sensor reports."""
    return float(np.sqrt(np.mean(velocity**2)))
