"""Contenders in turn on one topic, each held to the same reference."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from vss.bench.telemetry.bare import run_bare
from vss.bench.telemetry.feed import Feed
from vss.bench.telemetry.outputs import check_outputs
from vss.bench.telemetry.rolling import PERIOD_MS, STRIDE
from vss.bench.telemetry.worker import run_worker
from vss.config import Settings
from vss.model_store.evaluation.usage import Usage
from vss.schemas.topics import ANOMALIES, TELEMETRY
from vss.streams.topic_admin import TopicAdmin
from vss.workers.collector import looks_rarely
from vss.workers.turns import short_turns

BARE_BATCHES: Final = (512, 2048)
WORKER: Final = "vss worker"

Contender = Callable[[str, str], Usage]
"""Reads the first topic from its beginning and writes to the second; says what a reading cost."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a contender did.

    Attributes:
        name: Of the contender.
        rounds: What a reading cost in each round.
        ratios: Its readings/s over the bar's, in each round.
        cpu_ratios: The bar's CPU time over its own, in each round.
        checked: Events that were held to the reference, in all rounds.
    """

    name: str
    rounds: tuple[Usage, ...]
    ratios: tuple[float, ...]
    cpu_ratios: tuple[float, ...]
    checked: int

    @property
    def readings_a_second(self) -> float:
        """The median of the rounds."""
        return 1 / statistics.median(usage.wall_s for usage in self.rounds)

    @property
    def cpu_us(self) -> float:
        """CPU microseconds a reading, the median of the rounds."""
        return statistics.median(usage.cpu_s for usage in self.rounds) * 1e6

    @property
    def cpu_ratio(self) -> float:
        """CPU time of the bar over that of the contender, the median of the rounds."""
        return statistics.median(self.cpu_ratios)

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ratios)


@dataclass(frozen=True, slots=True)
class TelemetryBench:
    """What was measured.

    Attributes:
        feed: What all were given.
        rows: One a contender.
        bar: Name of the faster of the bare loops, which the ratios are to.
        readings_a_transaction: Of the worker, on average.
    """

    feed: Feed
    rows: tuple[Row, ...]
    bar: str
    readings_a_transaction: float


def make_feed(*, sensors: int, readings: int) -> Feed:
    """Readings that end about now."""
    each = readings // sensors
    span_ms = PERIOD_MS * STRIDE
    start_ms = (int(time.time() * 1000) - each * PERIOD_MS) // span_ms * span_ms
    return Feed(sensors, each * sensors, start_ms)


def bench_telemetry(
    settings: Settings,
    feed: Feed,
    *,
    rounds: int,
    batch: int,
    peers: Mapping[str, Contender] | None = None,
    on_round: Callable[[str, Usage], None] = lambda _name, _usage: None,
) -> TelemetryBench:
    """Lets a bare loop, the worker and others take turns.

    Args:
        settings: The cluster, with a prefix of the bench's own.
        feed: What all are given.
        rounds: How many times; each begins with another contender.
        batch: Readings in a micro-batch of the worker.
        peers: Further contenders by name.
        on_round: Told of each turn when it is over.

    Raises:
        BrokenPromise: A contender did not write exactly what is due.
        StreamError: The cluster fails.
    """
    source = TELEMETRY.name(settings.kafka.topic_prefix)
    feed.publish(settings.kafka)
    reference = feed.reference()
    transactions: list[float] = []

    def bare(size: int) -> Contender:
        return lambda come, go: run_bare(settings.kafka, feed, source=come, target=go, batch=size)

    def worker(come: str, go: str) -> Usage:
        usage, readings = run_worker(settings, feed, source=come, target=go, batch=batch)
        transactions.append(readings)
        return usage

    contenders: dict[str, Contender] = {f"bare loop, {size}": bare(size) for size in BARE_BATCHES}
    contenders |= {WORKER: worker, **(peers or {})}
    names = list(contenders)
    usages: dict[str, list[Usage]] = {name: [] for name in names}
    checked = dict.fromkeys(names, 0)
    with looks_rarely(), short_turns():  # as a worker does; the bare loop may have it too
        for number in range(rounds + 1):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                target = _topic_of_its_own(settings)
                usage = contenders[name](source, target)
                checked[name] += check_outputs(settings.kafka, target, reference, contender=name)
                if number:  # the first round warms up
                    usages[name].append(usage)
                    on_round(name, usage)
    bar = min(names[: len(BARE_BATCHES)], key=lambda name: statistics.median(u.wall_s for u in usages[name]))
    rows = tuple(_row(name, mine, usages[bar], checked[name]) for name, mine in usages.items())
    return TelemetryBench(feed, rows, bar, statistics.mean(transactions))


def _topic_of_its_own(settings: Settings) -> str:
    topic = replace(ANOMALIES, short=f"rolling-{uuid.uuid4().hex[:8]}")
    with TopicAdmin(settings.kafka) as admin:
        admin.create([topic], partitions=1)
    return topic.name(settings.kafka.topic_prefix)


def _row(name: str, mine: Sequence[Usage], bar: Sequence[Usage], checked: int) -> Row:
    pairs = list(zip(mine, bar, strict=True))
    return Row(
        name,
        tuple(mine),
        ratios=tuple(theirs.wall_s / ours.wall_s for ours, theirs in pairs),
        cpu_ratios=tuple(theirs.cpu_s / ours.cpu_s for ours, theirs in pairs),
        checked=checked,
    )
