"""A rolling bearing: how often a defect is rolled over, and how much heat its friction makes.

Frequencies: R. B. Randall and J. Antoni, "Rolling element bearing diagnostics: a tutorial", Mechanical Systems and
Signal Processing 25 (2011), equations 1 to 4. Friction: SKF, "Rolling bearings" (catalogue 17000), the estimate with a
constant coefficient, M = 0.5 µ P d.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Bearing:
    """A deep groove ball bearing whose outer ring stands still.

    Attributes:
        balls: How many.
        ball_mm: Diameter of a ball.
        pitch_mm: Diameter of the circle that the balls' centres run on.
        bore_mm: Diameter of the shaft.
        contact_rad: Angle of contact; 0 under a radial load.
        friction: Coefficient of friction µ.
    """

    balls: int
    ball_mm: float
    pitch_mm: float
    bore_mm: float
    contact_rad: float = 0.0
    friction: float = 0.0015

    @property
    def _ratio(self) -> float:
        return self.ball_mm / self.pitch_mm * math.cos(self.contact_rad)

    def outer_race_hz(self, shaft_hz: float) -> float:
        """How often a ball passes a place of the outer race (BPFO)."""
        return self.balls / 2 * shaft_hz * (1 - self._ratio)

    def inner_race_hz(self, shaft_hz: float) -> float:
        """How often a ball passes a place of the inner race (BPFI)."""
        return self.balls / 2 * shaft_hz * (1 + self._ratio)

    def cage_hz(self, shaft_hz: float) -> float:
        """How often the cage turns (FTF)."""
        return shaft_hz / 2 * (1 - self._ratio)

    def ball_hz(self, shaft_hz: float) -> float:
        """How often a ball turns about itself (BSF)."""
        return self.pitch_mm / (2 * self.ball_mm) * shaft_hz * (1 - self._ratio**2)

    def friction_w(self, load_n: float, shaft_hz: float) -> float:
        """Heat of a bearing without a defect, watts."""
        moment_nm = 0.5 * self.friction * load_n * self.bore_mm / 1000
        return moment_nm * 2 * math.pi * shaft_hz


SKF_6205: Final = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04, bore_mm=25.0)
"""Geometry as the Bearing Data Center of Case Western Reserve University gives it, which measured faults on it."""
