"""Finds transactions that stay open past their time: what is behind them, no `read_committed` reader gets.

A broker that dies at a bad moment may leave one that nobody will ever decide (KIP-664 calls it hanging).
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from confluent_kafka import IsolationLevel, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from vss.clock import Clock, Deadline, SystemClock
from vss.config import KafkaSettings
from vss.logs import Logger, get_logger
from vss.schemas.envelope import TopicPartition
from vss.streams.kafka_config import admin_config, client, translate

OFFSETS_TOPIC = "__consumer_offsets"
_POLL_S = 0.1
_CALL_TIMEOUT_S = 8.0
# Brokers look for what has timed out every 10 s (`transaction.abort.timed.out.transaction.cleanup.interval.ms`).
_CLEANUP_S = 12.0
_NEVER = threading.Event()


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """The oldest transaction of a partition that nobody has decided.

    Attributes:
        partition: Where.
        offset: The last stable offset: its first record, and the first that a `read_committed` reader does not get.
        end: The high watermark: what lies before it and from `offset` on is held back.
    """

    partition: TopicPartition
    offset: int
    end: int


def overdue_transactions(
    settings: KafkaSettings,
    topics: Collection[str],
    *,
    groups: Collection[str] = (),
    clock: Clock | None = None,
    logger: Logger | None = None,
) -> list[OpenTransaction]:
    """The transactions that are open now and still are when a worker's would have been ended by the broker.

    Returns at once where none is open. Topics that do not exist or may not be looked at are left out.

    Args:
        settings: The cluster, and how long a worker's transaction may be open.
        topics: Names on the cluster.
        groups: Consumer groups whose offsets are looked at as well.
        clock: For waits.
        logger: For what the client says.

    Raises:
        BrokerUnavailable: No broker answers.
    """
    clock = clock if clock is not None else SystemClock()
    admin: AdminClient = client(AdminClient, admin_config(settings), logger or get_logger("transactions"))
    waiting = _partitions(admin, topics, groups)
    stable, written = _ends(admin, waiting, committed=True), _ends(admin, waiting, committed=False)
    deadline = Deadline.after(settings.transaction_timeout_ms / 1000 + _CLEANUP_S, clock)
    while waiting := [p for p in waiting if stable.get(p, 0) < written.get(p, 0)]:
        if deadline.passed():
            break
        clock.wait(_NEVER, _POLL_S)
        stable |= _ends(admin, waiting, committed=True)
    return [OpenTransaction(p, stable[p], written[p]) for p in waiting if p in stable]


def offsets_partition(group: str, partitions: int) -> int:
    """The partition of `__consumer_offsets` that holds a group's, as brokers choose it (`GroupCoordinatorService`).

    The absolute value of Java's `String.hashCode`, of whose lowest number there is none, modulo the partitions.
    """
    value = 0
    for (unit,) in struct.iter_unpack(">H", group.encode("utf-16-be")):
        value = (value * 31 + unit) & 0xFFFFFFFF
    signed = value - (1 << 32) if value >> 31 else value
    return 0 if signed == -(1 << 31) else abs(signed) % partitions


def _partitions(admin: AdminClient, topics: Collection[str], groups: Collection[str]) -> list[TopicPartition]:
    try:
        there = admin.list_topics(timeout=_CALL_TIMEOUT_S).topics
    except KafkaException as error:
        raise translate(error, "looking at the topics") from error
    found = [TopicPartition(name, p) for name in topics if name in there for p in there[name].partitions]
    if OFFSETS_TOPIC in there and (count := len(there[OFFSETS_TOPIC].partitions)):
        found += [TopicPartition(OFFSETS_TOPIC, p) for p in sorted({offsets_partition(g, count) for g in groups})]
    return found


def _ends(admin: AdminClient, partitions: Sequence[TopicPartition], *, committed: bool) -> dict[TopicPartition, int]:
    """The end of each partition for one kind of reader; a partition that does not answer now is left out."""
    if not partitions:
        return {}
    futures = admin.list_offsets(
        {KafkaPartition(p.topic, p.partition): OffsetSpec.latest() for p in partitions},  # type: ignore[no-untyped-call] # the package's own gap
        isolation_level=IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED,
        request_timeout=_CALL_TIMEOUT_S,
    )
    return {
        TopicPartition(at.topic, at.partition): future.result().offset
        for at, future in futures.items()
        if future.exception() is None
    }
