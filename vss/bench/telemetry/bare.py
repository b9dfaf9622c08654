"""The bar: the shortest loop that turns readings into scores exactly once.

It refuses nothing, retries nothing, rebuilds nothing after a crash, serves no metrics and hands no partition over.
"""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import orjson
from confluent_kafka import Consumer, Producer

from vss.bench.telemetry.feed import Feed, event
from vss.bench.telemetry.rolling import PERIOD_MS, STRIDE, WINDOW, rolling_scores
from vss.config import KafkaSettings
from vss.errors import StreamError
from vss.model_store.evaluation.usage import Stopwatch, Usage
from vss.streams.kafka_config import consumer_config, transactional_config

_TIMEOUT_S = 30.0


class Rings:
    """The newest readings of each sensor, in a buffer that is moved to its front when it is full.

    Args:
        sensors: At most.
        batch: Readings at most between two calls.
    """

    def __init__(self, sensors: int, batch: int) -> None:
        self._rows: dict[str, int] = {}
        self._values = np.zeros((sensors, WINDOW + batch, 2))
        self._ends = np.zeros(sensors, np.int64)
        self._spans = np.full(sensors, -1, np.int64)
        self._seen = np.zeros(sensors, np.int64)

    def scores(self, documents: list[dict[str, Any]]) -> list[tuple[dict[str, Any], float]]:
        """Takes readings in; those whose windows are due, each with its score."""
        rows_of, count = self._rows, len(documents)
        rows = np.fromiter((rows_of.setdefault(d["sensor_id"], len(rows_of)) for d in documents), np.int64, count)
        ts_ms = np.fromiter((d["ts"] for d in documents), np.int64, count)
        values = np.array([(d["values"]["p"], d["values"]["q"]) for d in documents])
        order = np.argsort(rows, kind="stable")
        rows, ts_ms, values = rows[order], ts_ms[order], values[order]
        mine, starts, sizes = np.unique(rows, return_index=True, return_counts=True)
        rank = np.arange(count) - np.repeat(starts, sizes)
        full = self._ends[mine] + sizes > self._values.shape[1]
        for row in mine[full].tolist():
            end = self._ends[row]
            self._values[row, :WINDOW] = self._values[row, end - WINDOW : end]
            self._ends[row] = WINDOW
        at = self._ends[rows] + rank
        self._values[rows, at] = values
        seen = self._seen[rows] + rank + 1
        spans = ts_ms // (PERIOD_MS * STRIDE)
        before = np.empty_like(spans)
        before[1:] = spans[:-1]
        before[starts] = self._spans[mine]
        due = np.flatnonzero((seen >= WINDOW) & ((seen == WINDOW) | (spans != before)))
        windows = self._values[rows[due, None], at[due, None] + np.arange(1 - WINDOW, 1)]
        self._ends[mine] += sizes
        self._seen[mine] += sizes
        self._spans[mine] = spans[starts + sizes - 1]
        return [
            (documents[place], score)
            for place, score in zip(order[due].tolist(), rolling_scores(windows).tolist(), strict=True)
        ]


def run_bare(settings: KafkaSettings, feed: Feed, *, source: str, target: str, batch: int) -> Usage:
    """Turns all readings into events, a transaction a batch.

    Args:
        settings: The cluster.
        feed: What is in `source`.
        source: Topic of readings.
        target: Topic of events.
        batch: Readings in a transaction.

    Returns:
        For one reading, from the moment partitions were assigned to the last durable event.
    """
    watches: list[Stopwatch] = []
    consumer = Consumer(consumer_config(settings, group=f"bare-{uuid.uuid4().hex[:12]}"))
    producer = Producer(transactional_config(settings, transactional_id=f"bare-{uuid.uuid4().hex}"))
    producer.init_transactions(_TIMEOUT_S)

    def on_assign(reader: Consumer, partitions: list[Any]) -> None:
        watches.append(Stopwatch())
        reader.incremental_assign(partitions)

    consumer.subscribe([source], on_assign=on_assign)
    rings, done = Rings(feed.sensors, batch), 0
    try:
        while done < feed.readings:
            messages = consumer.consume(min(batch, feed.readings - done), _TIMEOUT_S)
            if not messages:
                raise StreamError("no more readings came")
            documents = orjson.loads(b"[" + b",".join([message.value() or b"" for message in messages]) + b"]")
            producer.begin_transaction()
            for document, score in rings.scores(documents):
                sensor_id = document["sensor_id"]
                producer.produce(target, event(sensor_id, document["ts"], score), sensor_id)
            offsets = consumer.position(consumer.assignment())
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), _TIMEOUT_S)
            producer.commit_transaction(_TIMEOUT_S)
            done += len(messages)
        return watches[0].read().per_frame(feed.readings)
    finally:
        consumer.close()
