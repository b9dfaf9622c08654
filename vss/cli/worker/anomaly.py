"""`vss worker anomaly`."""

from __future__ import annotations

from typing import Any

import click

from vss.cli.model_options import anomaly_worker_options
from vss.cli.worker.options import model_option
from vss.cli.worker.sensor_options import sensor_worker_options, with_sensor_flags
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss worker anomaly --model pump
  vss worker anomaly --model pump@3 --stride 10 --threshold 0.2
  vss worker anomaly --model pump.onnx --sensors 'pump-*,valve-*' --lateness 300
"""


@click.command(epilog=EXAMPLES)
@model_option
@anomaly_worker_options
@sensor_worker_options
def anomaly(settings: Settings, spec: str, metrics_port: int, **flags: Any) -> None:
    """Look for anomalies in sensors' readings: an event a scored window into vss.anomalies, exactly once.

    A window is the newest readings of a sensor, as many as the model was trained with. Windows survive hand-over and
    restart: they are rebuilt from vss.telemetry itself.
    """
    from vss.workers.telemetry.kinds import ANOMALY
    from vss.workers.telemetry.program import run_sensors

    run_sensors(with_sensor_flags(settings, **flags), ANOMALY, spec=spec, metrics_port=metrics_port)
