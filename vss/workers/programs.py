"""The worker programs: a step made from the settings, served until it is told to stop."""

from __future__ import annotations

from contextlib import ExitStack

from vss.clock import SystemClock
from vss.config import Settings
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.serving.requests import Server
from vss.model_store.serving.serving import Serving
from vss.schemas import topics
from vss.workers.activation.following import Following
from vss.workers.pictures.cascade import Cascade
from vss.workers.pictures.kinds import CLASSIFY, PictureWorker
from vss.workers.pictures.step import PictureStep
from vss.workers.redis_view.rebuild import rebuild_view
from vss.workers.redis_view.step import cache_step, view_topics
from vss.workers.result_cache.redis_answers import open_result_cache
from vss.workers.service import consumer_group, serve


def run_pictures(
    settings: Settings,
    worker: PictureWorker,
    *,
    spec: str,
    metrics_port: int | None,
    then: str | None = None,
    then_classes: tuple[str, ...] | None = None,
) -> None:
    """A worker that looks at pictures: `vss worker detect`, `classify` or `task`.

    Args:
        settings: The cluster, the models' settings and the limits.
        worker: Which.
        spec: Its model: `NAME`, which follows activations, `NAME@VERSION` or a file.
        metrics_port: See `serve`.
        then: A second model, which classifies the objects that the first one finds.
        then_classes: Of these classes only; None takes all.

    Raises:
        ModelError: A model cannot be served.
        VssError: See `serve`.
    """
    logger = get_logger(f"worker.{worker.name}")
    metrics, clock = Metrics(), SystemClock()
    group = consumer_group(settings, worker.name)
    with ExitStack() as resources:
        answers = open_result_cache(settings.redis, metrics=metrics, clock=clock, logger=logger)
        if answers is not None:
            resources.callback(answers.close)
        serving = Serving.of(settings.model, metrics=metrics, logger=logger, clock=clock, cache=answers)
        resources.callback(serving.close)
        following = resources.enter_context(
            Following(serving, settings.kafka, group=group, metrics=metrics, logger=logger, clock=clock)
        )
        following.serve(spec, worker.task)
        server: Server = serving
        if then is not None:
            following.serve(then, CLASSIFY.task)
            server = Cascade(serving, serving, classes=then_classes)
        step = PictureStep.of(worker, settings, server=server, group=group, metrics=metrics, clock=clock)
        serve(
            step,
            settings=settings,
            topics=[topics.FRAMES.name(settings.kafka.topic_prefix)],
            metrics=metrics,
            logger=logger,
            metrics_port=metrics_port,
            problems=serving.problems,
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
