"""One worker process: the loop on a real cluster, its endpoint and its signals."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

from vss.clock import Clock, SystemClock
from vss.config import Settings
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas import topics as catalogue
from vss.streams.daemon_thread import DaemonThread
from vss.streams.kafka_sink import KafkaSink
from vss.streams.kafka_source import KafkaSource
from vss.streams.ports import Sink
from vss.workers.collector import looks_rarely
from vss.workers.endpoint import Check, Endpoint
from vss.workers.loop.keyed_state import KeyedState
from vss.workers.loop.loop import Loop
from vss.workers.loop.step import Step
from vss.workers.turns import short_turns


def consumer_group(settings: Settings, step: str) -> str:
    """The group in which all workers of a step share the partitions."""
    return settings.loop.group or f"{settings.kafka.topic_prefix}{step}"


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one ends the process as it would have without us.

    Must be entered on the main thread. The handlers of before are put back at the end.
    """
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        restore()

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        restore()


def make_loop(
    step: Step,
    *,
    settings: Settings,
    topics: Sequence[str],
    metrics: Metrics,
    logger: Logger,
    resources: ExitStack,
    state: KeyedState | None = None,
    clock: Clock | None = None,
    kind: type[Loop] = Loop,
    watched: Callable[[Sink], Sink] = lambda sink: sink,
) -> Loop:
    """The loop of a step on the cluster that the settings name.

    Args:
        step: What is done with each record; closed with `resources`.
        settings: The cluster, the group and the limits.
        topics: Names of the topics to read.
        metrics: Where everything is counted.
        logger: For what a person wants to know.
        resources: Closes what this makes.
        state: What the step keeps by key; None for one that keeps nothing.
        clock: For waits and ages.
        kind: The loop's class.
        watched: Takes the sink and gives one that stands before it, for whoever measures.

    Raises:
        BrokerUnavailable: No broker answers.
        ConfigError: The broker or the client refuses the settings.
    """
    clock = clock if clock is not None else SystemClock()
    prefix = settings.kafka.topic_prefix
    group = consumer_group(settings, step.name)
    resources.callback(step.close)
    # Unique, so that a worker never fences its neighbour; a dead one's open transaction ends by its timeout.
    sink = KafkaSink(settings.kafka, transactional_id=f"{group}-{uuid.uuid4().hex}", logger=logger, clock=clock)
    resources.callback(sink.close)
    source = KafkaSource(settings.kafka, group=group, logger=logger, start_at=settings.loop.start_at)
    resources.callback(source.close)
    committer = resources.enter_context(DaemonThread("commit"))
    return kind(
        step,
        source,
        watched(sink),
        topics=topics,
        settings=settings.loop,
        dead_letter_topic=catalogue.DEAD_LETTERS.name(prefix),
        shed_topic=catalogue.SHED.name(prefix),
        group=group,
        committer=committer,
        metrics=metrics,
        clock=clock,
        logger=logger,
        state=state,
    )


def serve(
    step: Step,
    *,
    settings: Settings,
    topics: Sequence[str],
    metrics: Metrics,
    logger: Logger,
    metrics_port: int | None,
    problems: Check | None = None,
    state: KeyedState | None = None,
) -> None:
    """Runs a worker until it is told to stop.

    Args:
        step: What is done with each record.
        settings: The cluster, the group and the limits.
        topics: Names of the topics to read.
        metrics: Where everything is counted.
        logger: For what a person wants to know.
        metrics_port: Where `/metrics` is; 0 picks a port, None serves none.
        problems: Why the process should be replaced although its loop goes round; None knows nothing of the kind.
        state: What the step keeps by key; None for one that keeps nothing.

    Raises:
        VssError: What the error table answers with a crash; nothing is half-committed.
    """
    with stop_on_signals() as stop, ExitStack() as resources:
        loop = make_loop(
            step,
            settings=settings,
            topics=topics,
            metrics=metrics,
            logger=logger,
            resources=resources,
            state=state,
        )
        if metrics_port is not None:
            resources.enter_context(
                Endpoint(
                    metrics_port,
                    registry=metrics.registry,
                    health=lambda: [*loop.health(), *(problems() if problems is not None else [])],
                    readiness=loop.readiness,
                    logger=logger,
                )
            )
        resources.enter_context(looks_rarely())
        resources.enter_context(short_turns())
        logger.info("worker starts", step=step.name, topics=list(topics), group=consumer_group(settings, step.name))
        loop.run(stop)
        logger.info("worker stopped", step=step.name)
