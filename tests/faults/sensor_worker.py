"""A telemetry worker process for tests of failure: the real loop and step, with arithmetic for a model.

    python sensor_worker.py SETTINGS READINGS WINDOW

SETTINGS is JSON; what is written goes to topics of its prefix, READINGS is another topic, so that two groups on the
same readings can be compared.
"""

from __future__ import annotations

import sys

import orjson

from tests.telemetry.hash_scorer import HashScorer
from vss.clock import SystemClock
from vss.config import Settings
from vss.logs import configure, get_logger
from vss.metrics import Metrics
from vss.streams.windows.layout import WindowLayout
from vss.workers.service import serve
from vss.workers.telemetry.kinds import ANOMALY
from vss.workers.telemetry.program import sensor_step

FEATURES = ("a", "b")
PERIOD_MS = 100


def main() -> None:
    settings = Settings.model_validate(orjson.loads(sys.argv[1]))
    configure(level="INFO", json=True)
    metrics = Metrics()
    step = sensor_step(
        ANOMALY,
        settings,
        WindowLayout(FEATURES, int(sys.argv[3]), PERIOD_MS),
        server=HashScorer(FEATURES),
        metrics=metrics,
        clock=SystemClock(),
    )
    serve(
        step,
        settings=settings,
        topics=[sys.argv[2]],
        metrics=metrics,
        logger=get_logger("sensors"),
        metrics_port=None,
        state=step.state,
    )


if __name__ == "__main__":
    main()
