"""How warm the bearing is: heat comes from its friction and leaves through its housing, a first-order model."""

from __future__ import annotations

from typing import Final

from vss.demo.pump.bearing import Bearing

_LOAD_N: Final = 600.0
_RESISTANCE_K_PER_W: Final = 8.0
"""From the bearing to the air around it."""
_CAPACITY_J_PER_K: Final = 60.0
"""Of 0.13 kg of steel, which is what a 6205 weighs, at 460 J/(kg K)."""
_DEFECT_FRICTION: Final = 8.0
"""How many times as much friction a whole defect adds."""


class BearingTemperature:
    """Follows the temperature from its steady state on.

    Args:
        bearing: Whose friction it is.
        shaft_hz: How fast the shaft has turned until now.
        ambient_c: Temperature of the air.
    """

    def __init__(self, bearing: Bearing, shaft_hz: float, ambient_c: float) -> None:
        self._bearing = bearing
        self.celsius = ambient_c + _RESISTANCE_K_PER_W * bearing.friction_w(_LOAD_N, shaft_hz)

    def after(self, seconds: float, shaft_hz: float, ambient_c: float, severity: float) -> float:
        """The temperature a short while later, °C.

        Args:
            seconds: How long; far less than the time constant, which is eight minutes.
            shaft_hz: How fast the shaft turns.
            ambient_c: Temperature of the air.
            severity: Of the defect, 0..1.
        """
        heat_w = self._bearing.friction_w(_LOAD_N, shaft_hz) * (1 + _DEFECT_FRICTION * severity)
        lost_w = (self.celsius - ambient_c) / _RESISTANCE_K_PER_W
        self.celsius += (heat_w - lost_w) * seconds / _CAPACITY_J_PER_K
        return self.celsius
