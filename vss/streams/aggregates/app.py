"""The faust app of the aggregates: one agent and one table a kind of source.

What survives a kill, and how:

1. Of a record whose spans are over, the events are written and acknowledged;
2. then the table takes the record in, and its changelog with it;
3. the source's offset is committed last, after the changelog (`stream_publish_on_commit`).

A worker that dies between two of these reads records again. What the table includes already is passed over, so every
value is exact; events of step 1 may be written a second time, with the same id and the same values.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import faust
from yarl import URL

from vss.clock import Clock
from vss.config import KafkaSettings
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.envelope import Message, Record
from vss.schemas.topics import AGGREGATES, DEAD_LETTERS
from vss.streams.aggregates.aggregator import STEP, Aggregator
from vss.streams.aggregates.cluster import CommittedTransport, broker_urls, credentials
from vss.streams.aggregates.inputs import Measure
from vss.streams.aggregates.tumbling import Spans

Store = Literal["memory", "rocksdb"]
_COMMIT_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class AppSettings:
    """How the app runs.

    Attributes:
        kafka: The cluster.
        group: Consumer group, and the name that its changelogs start with.
        store: Where tables are kept on this machine; their truth is the changelog.
        data: Folder for that.
        silence_ms: See `Aggregator`.
        max_keys: See `Aggregator`.
        start_at: Where a group without commits starts.
    """

    kafka: KafkaSettings
    group: str
    store: Store
    data: Path
    silence_ms: int
    max_keys: int
    start_at: str


@dataclass(frozen=True, slots=True)
class AggregatedSource:
    """One kind of source that is aggregated.

    Attributes:
        measure: What its records say.
        spans: Which spans of time.
        partitions: Of its topic: its table has as many.
    """

    measure: Measure
    spans: Spans
    partitions: int


def make_app(
    settings: AppSettings,
    sources: Sequence[AggregatedSource],
    *,
    metrics: Metrics,
    clock: Clock,
    logger: Logger,
) -> Any:
    """The app, not started.

    Args:
        settings: How it runs.
        sources: What is aggregated.
        metrics: Where it is counted.
        clock: For the events' timestamps.
        logger: For what a person wants to know.

    Raises:
        ConfigError: faust cannot reach this cluster as it is configured, or RocksDB is not installed.
    """
    app = faust.App(
        settings.group,
        broker=";".join(broker_urls(settings.kafka)),
        broker_credentials=credentials(settings.kafka),
        store=f"{settings.store}://",
        datadir=str(settings.data),
        key_serializer="raw",
        value_serializer="raw",
        topic_replication_factor=settings.kafka.replication_factor,
        topic_disable_leader=True,
        consumer_auto_offset_reset=settings.start_at,
        broker_commit_interval=_COMMIT_EVERY_S,
        broker_session_timeout=settings.kafka.session_timeout_ms / 1000,
        broker_heartbeat_interval=settings.kafka.session_timeout_ms / 4000,
        stream_publish_on_commit=True,
        stream_wait_empty=False,
        web_enabled=False,
    )
    app.transport = CommittedTransport([URL(url) for url in broker_urls(settings.kafka)], app)
    for source in sources:
        _add_agent(app, settings, source, metrics=metrics, clock=clock, logger=logger)
    return app


def _add_agent(
    app: Any,
    settings: AppSettings,
    source: AggregatedSource,
    *,
    metrics: Metrics,
    clock: Clock,
    logger: Logger,
) -> None:
    prefix, measure = settings.kafka.topic_prefix, source.measure
    raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    topics = {name: app.topic(name, **raw) for name in (AGGREGATES.name(prefix), DEAD_LETTERS.name(prefix))}
    table = app.Table(f"{measure.kind}s", partitions=source.partitions, key_type=bytes, value_type=bytes)

    async def write(messages: Sequence[Message]) -> None:
        sent = [
            await topics[m.topic].send(key=m.key, value=m.value, headers=list(m.headers), force=True) for m in messages
        ]
        for acknowledged in sent:
            await acknowledged

    aggregator = Aggregator(
        measure,
        spans=source.spans,
        table=table,
        write=write,
        settings=settings.kafka,
        group=settings.group,
        silence_ms=settings.silence_ms,
        max_keys=settings.max_keys,
        metrics=metrics,
        clock=clock,
        logger=logger,
    )

    @table.on_recover  # type: ignore[untyped-decorator]
    async def restored() -> None:
        aggregator.restored()

    # One at a time: faust loses records silently with more.
    @app.agent(app.topic(measure.topic.name(prefix), **raw), name=f"{STEP}-{measure.kind}s", concurrency=1)  # type: ignore[untyped-decorator]
    async def take(stream: Any) -> None:
        async for event in stream.events():
            started = time.perf_counter()
            await aggregator.take(_record(event.message))
            metrics.stage_seconds.labels(STEP, measure.kind).inc(time.perf_counter() - started)


def _record(message: Any) -> Record:
    headers = message.headers.items() if isinstance(message.headers, Mapping) else message.headers or ()
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(headers),
        timestamp_ms=int(message.timestamp * 1000) if message.timestamp else 0,
    )
