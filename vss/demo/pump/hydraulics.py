"""Where a centrifugal pump runs: its curve meets that of the pipes, and the motor gives what that takes.

The pump's curve is a parabola that moves with the speed by the affinity laws (flow ~ n, head ~ n², power ~ n³; I. J.
Karassik et al., "Pump Handbook", chapter 2.3); the pipes ask for a static head and a friction that grows with the
square of the flow. The constants are those of an ordinary end-suction pump of 5.5 kW at 32 m³/h and 38 m.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

GRAVITY: Final = 9.81
DENSITY: Final = 998.0
"""Of water at 20 °C, kg/m³."""

SYNCHRONOUS_HZ: Final = 50.0
"""Of a motor with two poles, at the mains' 50 Hz."""
_RATED_W: Final = 5500.0
_RATED_SLIP: Final = 0.033
_SHUT_OFF_M: Final = 46.0
_CURVE: Final = 0.0078125  # m of head lost a (m³/h)²: 38 m are left at 32 m³/h
_BEST_M3H: Final = 32.0
_BEST_EFFICIENCY: Final = 0.70
_STATIC_M: Final = 12.0
PIPES: Final = 0.0253906
"""m of head a (m³/h)² in the pipes, at which the pump runs at its best point."""
_MOTOR_EFFICIENCY: Final = 0.88
_VOLTAGE: Final = 400.0
_MAGNETISING_A: Final = 4.0


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Where the pump runs.

    Attributes:
        flow_m3h: What it delivers.
        head_m: How high.
        shaft_w: What the pump takes.
        shaft_hz: How fast it turns.
        current_a: What the motor draws, a phase.
        off_best: How far the flow lies from that of best efficiency, as a share of it.
    """

    flow_m3h: float
    head_m: float
    shaft_w: float
    shaft_hz: float
    current_a: float
    off_best: float

    @property
    def pressure_bar(self) -> float:
        """At the discharge, above that at the suction."""
        return DENSITY * GRAVITY * self.head_m / 1e5


def operating_point(pipes: float, mains_hz: float) -> OperatingPoint:
    """Where both curves meet.

    Args:
        pipes: Friction of the pipes, m a (m³/h)²; a valve that closes raises it.
        mains_hz: Of the supply.
    """
    slip = _RATED_SLIP
    # The slip depends on the power and the power on the speed: three rounds are far below any sensor's noise.
    for _ in range(3):
        speed = mains_hz / SYNCHRONOUS_HZ * (1 - slip) / (1 - _RATED_SLIP)
        flow = math.sqrt((_SHUT_OFF_M * speed**2 - _STATIC_M) / (_CURVE + pipes))
        head = _SHUT_OFF_M * speed**2 - _CURVE * flow**2
        off_best = flow / speed / _BEST_M3H - 1
        efficiency = _BEST_EFFICIENCY * (1 - off_best**2)
        shaft_w = DENSITY * GRAVITY * head * flow / 3600 / efficiency
        slip = _RATED_SLIP * shaft_w / _RATED_W
    active_a = shaft_w / _MOTOR_EFFICIENCY / (math.sqrt(3) * _VOLTAGE)
    return OperatingPoint(
        flow_m3h=flow,
        head_m=head,
        shaft_w=shaft_w,
        shaft_hz=mains_hz * (1 - slip),
        current_a=math.hypot(active_a, _MAGNETISING_A),
        off_best=off_best,
    )
