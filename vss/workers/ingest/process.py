"""One process of cameras or sensors: the cluster, the feeds, the endpoint, the signals, and an orderly end."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from vss.clock import Clock, Deadline, SystemClock
from vss.config import Settings
from vss.errors import VssError
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.topics import Topic
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.ports import Publisher
from vss.workers.endpoint import Endpoint
from vss.workers.ingest.counts import Tally
from vss.workers.ingest.feed import Feed, FeedReport
from vss.workers.ingest.status import State
from vss.workers.service import stop_on_signals

_POLL_S = 0.1
# Together with the publishers' own last flush this stays within the few seconds that a supervisor grants.
_STOP_S = 2.5


class Described(Protocol):
    """The configuration of a feed, as far as this file knows it."""

    @property
    def id(self) -> str:
        """What it is called."""


class Recognised(Protocol):
    """A source, as far as this file knows it."""

    @property
    def live(self) -> bool:
        """Whether it does not wait for Kafka."""


C = TypeVar("C", bound=Described)
S = TypeVar("S", bound=Recognised)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the feeds of a process share.

    Attributes:
        settings: The cluster and the limits.
        topic: Name of the topic they write to.
        metrics: Where everything is counted.
        clock: Time.
        random: Jitter and trace ids.
        logger: For what a person wants to know.
    """

    settings: Settings
    topic: str
    metrics: Metrics
    clock: Clock
    random: random.Random
    logger: Logger


@dataclass(frozen=True, slots=True)
class Kind(Generic[C, S]):
    """Cameras, or sensors.

    Attributes:
        role: `camera` or `sensor`.
        topic: What they write to.
        recognise: Tells the source of a configuration, without opening it.
        make: Puts a feed together.
    """

    role: str
    topic: Topic
    recognise: Callable[[C, Surroundings], S]
    make: Callable[[C, S, Publisher, Surroundings], Feed]


def run_feeds(
    kind: Kind[C, S],
    configs: Sequence[C],
    *,
    settings: Settings,
    metrics: Metrics,
    metrics_port: int | None,
    logger: Logger,
) -> list[FeedReport]:
    """Runs feeds until each has ended, or until SIGTERM or Ctrl-C.

    A feed that fails does not end the others.

    Args:
        kind: What they are.
        configs: What each is told.
        settings: The cluster.
        metrics: Where everything is counted.
        metrics_port: Where `/metrics` is; 0 picks a port, None serves none.
        logger: For what a person wants to know.

    Returns:
        How each ended, in the order of `configs`.

    Raises:
        BrokerUnavailable: No broker answers at the start.
        ConfigError: The topic is missing, the port is taken, or the client refuses its settings.
        VssError: What recognising the only feed's source raises.
    """
    role = kind.role
    around = Surroundings(
        settings,
        kind.topic.name(settings.kafka.topic_prefix),
        metrics,
        SystemClock(),
        random.Random(),  # noqa: S311 - jitter and trace ids
        logger,
    )
    sources, failed = _recognise(kind, configs, around)
    with stop_on_signals() as stop, ExitStack() as resources:
        publishers = _publishers(around, sources, resources)
        feeds = [
            kind.make(config, sources[config.id], publishers[sources[config.id].live], around)
            for config in configs
            if config.id in sources
        ]

        def readiness() -> list[str]:
            lost = [f"{role} {report.id}: {report.error}" for report in failed.values()]
            return lost + [reason for feed in feeds for reason in feed.readiness()]

        if metrics_port is not None:
            # Alive is who answers: what goes wrong here is retried, or ends a feed that a restart would not mend.
            endpoint = Endpoint(
                metrics_port, registry=metrics.registry, health=list, readiness=readiness, logger=logger
            )
            resources.callback(endpoint.close)
        _run_until_over(feeds, list(publishers.values()), stop, around.clock)
    ended = failed | {feed.id: feed.report() for feed in feeds}
    for feed in feeds:
        _say_how_it_ended(role, ended[feed.id], logger)
    return [ended[config.id] for config in configs]


def _run_until_over(
    feeds: Sequence[Feed], publishers: Sequence[KafkaPublisher], stop: threading.Event, clock: Clock
) -> None:
    """Starts the feeds, waits until all have ended or `stop` is set, and brings what is left to Kafka."""
    for feed in feeds:
        feed.start()
    while not stop.is_set() and not all(feed.ended for feed in feeds):
        # Deliveries are reported here, too, for a feed whose source is silent.
        for publisher in publishers:
            publisher.poll(_POLL_S / len(publishers))
    for feed in feeds:
        feed.stop()
    deadline = Deadline.after(_STOP_S, clock)
    for feed in feeds:
        feed.join(deadline)
    for publisher in publishers:
        publisher.close()


def _say_how_it_ended(role: str, report: FeedReport, logger: Logger) -> None:
    logger.info(
        f"{role} stopped",
        **{role: report.id},
        state=report.state.value,
        captured=report.tally.captured,
        published=report.tally.published,
        dropped=report.tally.dropped,
    )


def _recognise(
    kind: Kind[C, S], configs: Sequence[C], around: Surroundings
) -> tuple[dict[str, S], dict[str, FeedReport]]:
    sources: dict[str, S] = {}
    failed: dict[str, FeedReport] = {}
    for config in configs:
        try:
            sources[config.id] = kind.recognise(config, around)
        except VssError as error:
            if len(configs) == 1:
                raise
            around.logger.error(f"{kind.role} failed", **{kind.role: config.id}, reason=str(error), fix=error.fix)
            failed[config.id] = FeedReport(config.id, State.FAILED, Tally(0, 0, {}), error)
    return sources, failed


def _publishers(around: Surroundings, sources: dict[str, S], resources: ExitStack) -> dict[bool, KafkaPublisher]:
    """One for live sources, which Kafka must take in time, one for files, which wait for it."""
    publishers: dict[bool, KafkaPublisher] = {}
    for live in sorted({source.live for source in sources.values()}):
        publisher = KafkaPublisher(around.settings.kafka, logger=around.logger, patient=not live)
        publishers[live] = publisher
        resources.callback(publisher.close)
        publisher.require_topic(around.topic)
    return publishers
