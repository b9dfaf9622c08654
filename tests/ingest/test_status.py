from __future__ import annotations

import pytest

from vss.logs import get_logger
from vss.metrics import Metrics
from vss.testing import ManualClock
from vss.workers.ingest.status import SourceStatus, State


@pytest.mark.parametrize("end", ["finish", "fail"])
def test_what_a_source_gives_after_the_end_changes_nothing(end: str) -> None:
    metrics = Metrics()
    status = SourceStatus(
        "sensor",
        metrics.sensor_up.labels("pump"),
        metrics.sensor_reconnects.labels("pump"),
        item="reading",
        clock=ManualClock(),
        logger=get_logger("sensor"),
    )
    status.up()
    if end == "finish":
        status.finish()
    else:
        status.fail("a reason")
    state = status.state
    status.up()
    status.down("gone")
    assert status.state is state is (State.FINISHED if end == "finish" else State.FAILED)
    assert metrics.registry.get_sample_value("vss_sensor_up", {"sensor": "pump"}) == 0
    assert metrics.registry.get_sample_value("vss_sensor_reconnects_total", {"sensor": "pump"}) == 0
