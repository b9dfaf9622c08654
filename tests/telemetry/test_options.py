"""What a worker's flags and settings mean for windows and batches."""

from __future__ import annotations

from typing import Any

import pytest

from vss.cli.worker.sensor_options import with_sensor_flags
from vss.config import LoopSettings, Settings
from vss.errors import ConfigError
from vss.logs import get_logger
from vss.streams.windows.layout import WindowLayout
from vss.workers.telemetry.kinds import ANOMALY
from vss.workers.telemetry.program import run_sensors, with_batch_for

NONE: dict[str, Any] = dict.fromkeys(("stride", "lateness", "expire_after", "sensors", "group", "max_batch"))


def test_seconds_become_milliseconds_and_what_is_not_said_stays() -> None:
    found = with_sensor_flags(Settings(), **NONE | {"lateness": 1.5, "expire_after": 0.25, "stride": 3})
    assert (found.windows.lateness_ms, found.windows.expire_after_ms, found.windows.stride) == (1500, 250, 3)
    same = with_sensor_flags(Settings(), **NONE)
    assert same.windows == Settings().windows


@pytest.mark.parametrize(
    ("settings", "flag", "batch"),
    [(Settings(), None, 2048), (Settings(), 7, 7), (Settings(loop=LoopSettings(max_batch=64)), None, 64)],
    ids=["small records", "a flag", "a setting"],
)
def test_batches_of_readings_are_large_unless_somebody_says_otherwise(
    settings: Settings, flag: int | None, batch: int
) -> None:
    assert with_sensor_flags(settings, **NONE | {"max_batch": flag}).loop.max_batch == batch


def test_large_windows_make_batches_smaller() -> None:
    settings = Settings(loop=LoopSettings(max_batch=2048))
    logger = get_logger("test")
    small, large = (WindowLayout(("a",) * n, 1000, 1000) for n in (2, 100))
    assert with_batch_for(small, settings, logger).loop.max_batch == 2048
    assert with_batch_for(large, settings, logger).loop.max_batch == (64 << 20) // (1000 * 100 * 4)


def test_readings_are_not_shed_by_age() -> None:
    settings = Settings(loop=LoopSettings(max_age_ms=1000))
    with pytest.raises(ConfigError) as refused:
        run_sensors(settings, ANOMALY, spec="pump", metrics_port=None)
    assert "windows.lateness_ms" in refused.value.fix
