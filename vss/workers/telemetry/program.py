"""The programs `vss worker anomaly` and `vss worker forecast`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from vss.clock import Clock, SystemClock
from vss.codecs.readings import ReadingLimits
from vss.config import Settings
from vss.errors import ConfigError
from vss.logs import Logger, get_logger
from vss.metrics import Metrics
from vss.model_store.serving.serving import Serving
from vss.model_store.serving.windows import WindowServer
from vss.schemas import topics
from vss.streams.windows.keyed_windows import KeyedWindows
from vss.streams.windows.layout import WindowLayout
from vss.workers.activation.following import Following
from vss.workers.loop.notes import NoteWriter
from vss.workers.service import consumer_group, serve
from vss.workers.telemetry.events import EventWriter
from vss.workers.telemetry.forecast_errors import ForecastErrors
from vss.workers.telemetry.intake import Intake
from vss.workers.telemetry.kinds import FORECAST, SensorWorker
from vss.workers.telemetry.sensors import ExpectedSensors
from vss.workers.telemetry.step import SensorStep

READINGS_BATCH: Final = 2048
"""Readings in a micro-batch, where nothing else is said: the commit of a smaller one costs more than its readings."""
_BATCH_BYTES: Final = 64 << 20
"""What the windows of a micro-batch may weigh when each of its readings makes one due."""


def run_sensors(settings: Settings, worker: SensorWorker, *, spec: str, metrics_port: int | None) -> None:
    """A worker that looks at windows of readings.

    Args:
        settings: The cluster, the models' settings, windows and limits.
        worker: Which.
        spec: Its model: `NAME`, which follows activations, `NAME@VERSION` or a file.
        metrics_port: See `serve`.

    Raises:
        ModelError: The model cannot be served.
        ConfigError: A setting does not fit the model, or readings would be shed by age.
        VssError: See `serve`.
    """
    if settings.loop.max_age_ms is not None:
        raise ConfigError(
            "loop.max_age_ms leaves old records out, but a window needs every reading",
            fix="remove loop.max_age_ms; windows.lateness_ms says how late a reading may be",
        )
    logger = get_logger(f"worker.{worker.name}")
    metrics, clock = Metrics(), SystemClock()
    group = consumer_group(settings, worker.name)
    with ExitStack() as resources:
        serving = Serving.of(settings.model, metrics=metrics, logger=logger, clock=clock)
        resources.callback(serving.close)
        following = resources.enter_context(
            Following(serving, settings.kafka, group=group, metrics=metrics, logger=logger, clock=clock)
        )
        following.serve(spec, worker.task)
        features, window, period_ms = serving.series_spec(spec, worker.task).layout
        layout = WindowLayout(features, window, period_ms)
        settings = with_batch_for(layout, settings, logger)
        step = sensor_step(worker, settings, layout, server=serving, metrics=metrics, clock=clock)
        serve(
            step,
            settings=settings,
            topics=[topics.TELEMETRY.name(settings.kafka.topic_prefix)],
            metrics=metrics,
            logger=logger,
            metrics_port=metrics_port,
            problems=serving.problems,
            state=step.state,
        )


def sensor_step(
    worker: SensorWorker,
    settings: Settings,
    layout: WindowLayout,
    *,
    server: WindowServer,
    metrics: Metrics,
    clock: Clock,
) -> SensorStep:
    """The step of one kind of worker, with the settings' topics, windows and limits.

    Args:
        worker: Which kind.
        settings: Of the worker.
        layout: Of the windows that its models look at.
        server: What looks at them; closed with the step.
        metrics: Where everything is counted.
        clock: For timestamps.

    Raises:
        ConfigError: A setting does not fit the windows.
    """
    group = consumer_group(settings, worker.name)
    prefix = settings.kafka.topic_prefix
    sensors = settings.windows.sensors
    return SensorStep(
        worker.name,
        task=worker.task,
        state=Intake(
            KeyedWindows(layout, settings.windows, step=worker.name, metrics=metrics),
            limits=ReadingLimits.of(settings.limits),
            sensors=ExpectedSensors(sensors) if sensors is not None else None,
        ),
        server=server,
        events=EventWriter(worker.findings, topic_prefix=prefix, group=group),
        notes=NoteWriter(topic=topics.SHED.name(prefix), group=group, step=worker.name, metrics=metrics),
        observer=ForecastErrors(metrics, every_reading=settings.windows.stride == 1)
        if worker.task == FORECAST.task
        else None,
        metrics=metrics,
        clock=clock,
    )


def with_batch_for(layout: WindowLayout, settings: Settings, logger: Logger) -> Settings:
    """The settings with micro-batches no larger than their windows have room for."""
    most = max(1, _BATCH_BYTES // (layout.window * len(layout.features) * 4))
    if settings.loop.max_batch <= most:
        return settings
    logger.info("smaller micro-batches, for the windows are large", max_batch=most)
    return settings.model_copy(update={"loop": settings.loop.model_copy(update={"max_batch": most})})
