"""`vss worker aggregate`: the faust app on the cluster that the settings name, with an endpoint like every worker's."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from contextlib import ExitStack

from vss.clock import SystemClock
from vss.codecs.readings import ReadingLimits
from vss.config import Settings
from vss.errors import ConfigError
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.schemas.topics import AGGREGATES, DEAD_LETTERS
from vss.streams.aggregates.inputs import CameraObjects, Measure, SensorReadings
from vss.streams.aggregates.tumbling import Spans
from vss.streams.topic_admin import TopicAdmin
from vss.workers.endpoint import Endpoint
from vss.workers.service import consumer_group


def run_aggregate(settings: Settings, kinds: Sequence[str], *, metrics_port: int | None) -> None:
    """Runs until it is told to stop.

    Args:
        settings: The cluster, the spans and the limits.
        kinds: `sensor`, `camera` or both.
        metrics_port: Where `/metrics` is; 0 picks a port, None serves none.

    Raises:
        ConfigError: The extra is not installed, a topic is missing, or a setting does not fit.
        BrokerUnavailable: No broker answers.
    """
    if importlib.util.find_spec("faust") is None:
        raise ConfigError("aggregates need faust", fix="pip install 'vss-fleet[aggregate]'")
    if settings.aggregate.store == "rocksdb" and importlib.util.find_spec("rocksdict") is None:
        raise ConfigError("tables in RocksDB need rocksdict", fix="pip install 'vss-fleet[aggregate]'")
    from vss.streams.aggregates.app import AggregatedSource, AppSettings, make_app
    from vss.streams.aggregates.run import run_app

    logger = get_logger("worker.aggregate")
    metrics, clock = Metrics(), SystemClock()
    chosen = settings.aggregate
    measures: dict[str, tuple[Measure, tuple[int, ...]]] = {
        "sensor": (SensorReadings(ReadingLimits.of(settings.limits)), chosen.sensor_every_s),
        "camera": (CameraObjects(), chosen.camera_every_s),
    }
    sources = []
    for kind in kinds:
        measure, every_s = measures[kind]
        spans = Spans(tuple(width_s * 1000 for width_s in every_s), chosen.grace_ms)
        sources.append(AggregatedSource(measure, spans, _partitions(settings, measure)))
    group = consumer_group(settings, "aggregate")
    data = chosen.data.expanduser() / group
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{data} cannot be made: {error.strerror}", fix="name another folder with --data") from error
    app = make_app(
        AppSettings(
            kafka=settings.kafka,
            group=group,
            store=chosen.store,
            data=data,
            silence_ms=chosen.silence_ms,
            max_keys=settings.windows.max_keys,
            start_at=settings.loop.start_at,
        ),
        sources,
        metrics=metrics,
        clock=clock,
        logger=logger,
    )
    with ExitStack() as resources:
        if metrics_port is not None:
            resources.enter_context(
                Endpoint(
                    metrics_port,
                    registry=metrics.registry,
                    health=lambda: ["the app has crashed"] if app.should_stop else [],
                    readiness=lambda: [] if app.tables.recovery.completed.is_set() else ["tables are being restored"],
                    logger=logger,
                )
            )
        logger.info("worker starts", step="aggregate", sources=list(kinds), group=group, store=chosen.store)
        run_app(app, logger)
        logger.info("worker stopped", step="aggregate")


def _partitions(settings: Settings, measure: Measure) -> int:
    with TopicAdmin(settings.kafka) as admin:
        source, *others = admin.describe([measure.topic, AGGREGATES, DEAD_LETTERS])
    for state in (source, *others):
        if state.existing is None:
            raise ConfigError(f"there is no topic {state.name}", fix="create the topics: vss topics create")
    assert source.existing is not None  # noqa: S101 - looked at above
    return source.existing.partitions
