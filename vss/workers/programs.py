"""The worker programs: a step made from the settings, served until it is told to stop."""

from __future__ import annotations

from vss.clock import SystemClock
from vss.config import Settings
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.resolve import resolve_model
from vss.model_store.runner.runner import Runner
from vss.model_store.serving.single import SingleModel
from vss.schemas import topics
from vss.workers.pictures.kinds import DETECT
from vss.workers.pictures.step import PictureStep
from vss.workers.redis_view.rebuild import rebuild_view
from vss.workers.redis_view.step import cache_step, view_topics
from vss.workers.service import consumer_group, serve


def run_detect(settings: Settings, *, spec: str, metrics_port: int | None) -> None:
    """`vss worker detect`.

    Args:
        settings: The cluster, the model's settings and the limits.
        spec: `NAME`, `NAME@VERSION` or a file.
        metrics_port: See `serve`.

    Raises:
        ModelError: The model cannot be served.
        VssError: See `serve`.
    """
    logger = get_logger("worker.detect")
    metrics = Metrics()
    detector = Runner.load(resolve_model(spec, settings.model), settings.model, metrics=metrics)
    logger.info(
        "model loaded",
        model=detector.name,
        version=detector.version,
        head=detector.task.facts["head"],
        input_wh=detector.input_wh,
        classes=len(detector.labels),
        providers=detector.providers,
    )
    step = PictureStep(
        DETECT.name,
        task=DETECT.task,
        server=SingleModel(detector),
        events=DETECT.events,
        topic_prefix=settings.kafka.topic_prefix,
        group=consumer_group(settings, DETECT.name),
        limits=settings.limits,
        metrics=metrics,
        clock=SystemClock(),
    )
    serve(
        step,
        settings=settings,
        topics=[topics.FRAMES.name(settings.kafka.topic_prefix)],
        metrics=metrics,
        logger=logger,
        metrics_port=metrics_port,
    )


def run_cache(settings: Settings, *, rebuild: bool, metrics_port: int | None) -> None:
    """`vss worker cache`.

    Args:
        settings: The cluster, Redis and the limits.
        rebuild: Whether the results of the last `redis.ttl_s` seconds are written first (for an empty Redis).
        metrics_port: See `serve`.

    Raises:
        CacheUnavailable: Redis does not answer at the start.
        VssError: See `serve`.
    """
    logger = get_logger("worker.cache")
    metrics, clock = Metrics(), SystemClock()
    if rebuild:
        rebuild_view(settings, metrics=metrics, clock=clock, logger=logger)
    serve(
        cache_step(settings, metrics=metrics, clock=clock),
        settings=settings,
        topics=view_topics(settings.kafka.topic_prefix),
        metrics=metrics,
        logger=logger,
        metrics_port=metrics_port,
    )
