"""Fills a view from the topics, as far back as results are kept in it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from vss.clock import Clock
from vss.config import Settings
from vss.errors import BadRecord
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.envelope import Record
from vss.streams.log_reader import LogReader
from vss.workers.redis_view.step import EntryMaker, entry_maker, view_topics
from vss.workers.redis_view.writer import ViewEntry, ViewWriter


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild did.

    Attributes:
        results: Taken into the view, or found there as new or newer.
        left_out: Records that are no results; their dead letters were written when they were first read.
        seconds: How long it took.
    """

    results: int
    left_out: int
    seconds: float


def rebuild_view(
    settings: Settings, *, metrics: Metrics, clock: Clock, logger: Logger, stop: threading.Event | None = None
) -> RebuildReport:
    """Reads the result topics from `ttl_s` ago to their present end into Redis.

    Commits nothing, and may run beside workers that keep the same view: compare-and-set keeps the newest. What is
    committed after it began is left to them, so whoever rebuilds an empty Redis and then works, or rebuilds beside a
    worker, misses nothing.

    Args:
        settings: The cluster, Redis, keys and TTL.
        metrics: Counts writes.
        clock: What now is.
        logger: Told once at the end.
        stop: Ends it early when set; what is done stays.

    Raises:
        CacheUnavailable: Redis does not answer.
        BrokerUnavailable: No broker answers.
        ConfigError: A topic does not exist, or a server refuses this user.
    """
    started_s = clock.monotonic()
    maker = entry_maker(settings.kafka.topic_prefix)
    writer = ViewWriter(settings.redis, metrics=metrics, clock=clock)
    results = left_out = 0
    try:
        writer.check()
        with LogReader(settings.kafka, logger=logger) as reader:
            spans = reader.spans(view_topics(settings.kafka.topic_prefix))
            oldest_ms = clock.now_ns() // 1_000_000 - settings.redis.ttl_s * 1000
            found = reader.offsets_at(spans, oldest_ms)
            # None: everything there is older than that.
            starts = {p: offset for p, offset in found.items() if offset is not None}
            for records in reader.read(starts, {p: span.end for p, span in spans.items()}):
                entries = [entry for record in records if (entry := _entry(maker, record)) is not None]
                for error in writer.write(entries):
                    if error is not None:
                        raise error
                results += len(entries)
                left_out += len(records) - len(entries)
                if stop is not None and stop.is_set():
                    break
    finally:
        writer.close()
    report = RebuildReport(results, left_out, clock.monotonic() - started_s)
    logger.info("view rebuilt", results=results, left_out=left_out, seconds=round(report.seconds, 3))
    return report


def _entry(maker: EntryMaker, record: Record) -> ViewEntry | None:
    try:
        return maker.entry(record)[0]
    except BadRecord:
        return None
