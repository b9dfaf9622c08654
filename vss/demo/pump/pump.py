"""The pump as its sensor sees it: a reading each tenth of a second, from nothing but a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from vss.demo.pump import FEATURES, PERIOD_MS
from vss.demo.pump.bearing import SKF_6205
from vss.demo.pump.hydraulics import PIPES, SYNCHRONOUS_HZ, operating_point
from vss.demo.pump.thermal import BearingTemperature
from vss.demo.pump.vibration import Samples, Vibration, rms

_PERIOD_S: Final = PERIOD_MS / 1000
_FLOW_LAG_S: Final = 0.8
"""Water in the pipes has to be moved before it flows faster."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A defect of the outer race that grows.

    A defect's vibration grows exponentially (N. Z. Gebraeel et al., "Residual-life distributions from component
    degradation signals", IIE Transactions 37, 2005). Here it takes seconds where a real one takes weeks.

    Attributes:
        start_s: When it starts, seconds after the first reading.
        first: How severe it is then, as a share of a whole defect.
        doubles_s: How long it takes to become twice as severe.
    """

    start_s: float
    first: float = 0.08
    doubles_s: float = 2.0

    def severity(self, at_s: float) -> float:
        """0 before it starts, 1 for a whole defect."""
        grown_s = at_s - self.start_s
        return min(1.0, self.first * 2 ** (grown_s / self.doubles_s)) if grown_s >= 0 else 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What the pump did in one period.

    Attributes:
        values: The reading, by feature, in their units.
        velocity: (n,) mm/s, the vibration that the reading's is the RMS of.
    """

    values: dict[str, float]
    velocity: Samples


class Wander:
    """What changes slowly and comes back: an Ornstein-Uhlenbeck process around 0.

    Args:
        deviation: Standard deviation.
        memory_s: How long it remembers.
        rng: Chance.
    """

    def __init__(self, deviation: float, memory_s: float, rng: np.random.Generator) -> None:
        self._deviation = deviation
        self._kept = math.exp(-_PERIOD_S / memory_s)
        self._rng = rng
        self.value = deviation * rng.standard_normal()

    def step(self) -> float:
        """Its value a period later."""
        fresh = self._deviation * math.sqrt(1 - self._kept**2)
        self.value = self._kept * self.value + fresh * self._rng.standard_normal()
        return self.value


class Pump:
    """Runs, and is read once a period. The same seed and severities give the same readings.

    Args:
        seed: Of all chance: demand, mains, weather, noise.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 6205])
        self._demand = Wander(0.12, 60.0, self._rng)
        self._mains = Wander(0.02, 20.0, self._rng)
        self._draught = Wander(0.4, 300.0, self._rng)
        self._air_c = self._rng.uniform(21.0, 27.0)
        self._turbulence = Wander(0.12, 3.0, self._rng)
        self._vibration = Vibration(SKF_6205, self._rng)
        point = operating_point(self._pipes(), SYNCHRONOUS_HZ)
        self._flow_m3h = point.flow_m3h
        self._temperature = BearingTemperature(SKF_6205, point.shaft_hz, self._air_c + self._draught.value)

    def step(self, severity: float = 0.0) -> Moment:
        """The next period.

        Args:
            severity: Of the defect in the bearing's outer race, 0..1.
        """
        self._demand.step()
        point = operating_point(self._pipes(), SYNCHRONOUS_HZ + self._mains.step())
        self._flow_m3h += (point.flow_m3h - self._flow_m3h) * (1 - math.exp(-_PERIOD_S / _FLOW_LAG_S))
        turbulence = math.exp(self._turbulence.step())
        velocity = self._vibration.stretch(_PERIOD_S, point.shaft_hz, point.off_best, turbulence, severity)
        celsius = self._temperature.after(_PERIOD_S, point.shaft_hz, self._air_c + self._draught.step(), severity)
        noise = self._rng.standard_normal(4)
        # As their transmitters report them: noise, and a last digit.
        measured = (
            round(rms(velocity), 3),
            round(celsius + 0.05 * noise[0], 2),
            round(point.pressure_bar + 0.008 * noise[1], 3),
            round(self._flow_m3h + 0.12 * noise[2], 2),
            round(point.current_a + 0.03 * noise[3], 2),
        )
        return Moment(dict(zip(FEATURES, measured, strict=True)), velocity)

    def _pipes(self) -> float:
        return PIPES * math.exp(self._demand.value)
