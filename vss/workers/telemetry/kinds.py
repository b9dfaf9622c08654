"""What the workers that look at windows differ in: their name, the task of their models, and what their events say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from vss.workers.telemetry.events import AnomalyFindings, Findings, ForecastFindings


@dataclass(frozen=True, slots=True)
class SensorWorker:
    """One kind of worker.

    Attributes:
        name: Of its step, and with the prefix of its consumer group.
        task: What its models do, as manifests spell it.
        findings: What its events say.
    """

    name: str
    task: Literal["anomaly", "forecast"]
    findings: Findings


ANOMALY: Final = SensorWorker("anomaly", "anomaly", AnomalyFindings())
FORECAST: Final = SensorWorker("forecast", "forecast", ForecastFindings())
