"""`vss worker forecast`."""

from __future__ import annotations

from typing import Any

import click

from vss.cli.model_options import forecast_worker_options
from vss.cli.worker.options import model_option
from vss.cli.worker.sensor_options import sensor_worker_options, with_sensor_flags
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss worker forecast --model load
  vss worker forecast --model load@2 --stride 6 --group planning
"""


@click.command(epilog=EXAMPLES)
@model_option
@forecast_worker_options
@sensor_worker_options
def forecast(settings: Settings, spec: str, metrics_port: int, **flags: Any) -> None:
    """Foretell sensors' readings, with intervals: an event a window into vss.forecasts, exactly once.

    When a forecast's horizon has passed, it is held against what came: /metrics shows vss_forecast_error and
    vss_forecast_interval_coverage.
    """
    from vss.workers.telemetry.kinds import FORECAST
    from vss.workers.telemetry.program import run_sensors

    run_sensors(with_sensor_flags(settings, **flags), FORECAST, spec=spec, metrics_port=metrics_port)
