"""A made-up pump that behaves like one: its hydraulics, its motor, its bearing, and the fault that grows in it."""

from __future__ import annotations

from typing import Final

FEATURES: Final = ("vibration", "temperature", "pressure", "flow", "current")
"""What its sensor measures."""
UNITS: Final = {"vibration": "mm/s", "temperature": "°C", "pressure": "bar", "flow": "m³/h", "current": "A"}
PERIOD_MS: Final = 100
"""From one reading to the next."""
