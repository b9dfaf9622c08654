"""Writes results into the view so that an older one never overwrites a newer one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import redis

from vss.clock import Clock
from vss.config import RedisSettings
from vss.errors import CacheUnavailable
from vss.metrics import Metrics
from vss.schemas.envelope import Record
from vss.workers.redis_view.keys import ViewKeys
from vss.workers.redis_view.link import connect, translated, unavailable

# Within a partition the higher offset is newer. Two cases have no common count of offsets:
# - After a topic has grown, a key may live in another partition: the later Kafka timestamp is newer.
# - A topic that was deleted and made anew counts from 0 again: a lower offset is newer where its timestamp is more than
#   NEW_TOPIC_MS later, which no two clocks of one cluster's workers are apart.
NEW_TOPIC_MS = 60_000
_COMPARE_AND_SET = """\
local at = redis.pcall('HMGET', KEYS[1], 'topic', 'partition', 'offset', 'timestamp_ms')
if at.err then  -- what stands under our key is not ours
  redis.call('DEL', KEYS[1])
  at = {}
end
if at[1] then
  local ours, theirs = tonumber(ARGV[5]), tonumber(at[4])
  local newer
  if at[1] == ARGV[2] and at[2] == ARGV[3] then
    newer = tonumber(ARGV[4]) > tonumber(at[3]) or ours > theirs + tonumber(ARGV[7])
  else
    newer = ours > theirs or (ours == theirs and tonumber(ARGV[3]) > tonumber(at[2]))
  end
  if not newer then return 0 end
end
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'topic', ARGV[2], 'partition', ARGV[3], 'offset', ARGV[4],
           'timestamp_ms', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 1
"""


@dataclass(frozen=True, slots=True)
class ViewEntry:
    """A result to take into the view.

    Attributes:
        record: As it was read from the result topic.
        event_id: What names the result.
        key: Camera or sensor id, what the latest result is kept for.
    """

    record: Record
    event_id: str
    key: str


class ViewWriter:
    """Takes results into Redis. For one thread.

    A result expires `ttl_s` after Kafka's timestamp of its record, not after it was written: so a view that was away or
    is rebuilt expires like one that never was.

    Args:
        settings: Where Redis is, keys and TTL.
        metrics: `vss_cache_up` and the writes by result: written, stale (a newer one is there), expired.
        clock: What now is.
        client: For tests; by default one is made of the settings.
    """

    def __init__(
        self, settings: RedisSettings, *, metrics: Metrics, clock: Clock, client: redis.Redis | None = None
    ) -> None:
        self._client = client if client is not None else connect(settings)
        self._keys = ViewKeys(settings.key_prefix)
        self._ttl_ms = settings.ttl_s * 1000
        self._metrics = metrics
        self._clock = clock
        self._script = self._client.register_script(_COMPARE_AND_SET)

    def check(self) -> None:
        """Asks Redis whether it serves.

        Raises:
            CacheUnavailable: It does not.
            ConfigError: It refuses this user.
        """
        self._metrics.cache_up.set(0)
        with translated(self._client):
            self._client.ping()
        self._metrics.cache_up.set(1)

    def write(self, entries: Sequence[ViewEntry]) -> list[CacheUnavailable | None]:
        """Takes entries into the view in one round trip, each where nothing newer is.

        Repeating it, or writing in another order, leaves the same view.

        Returns:
            For each entry why it could not be written, or None.

        Raises:
            CacheUnavailable: Redis does not answer or cannot serve now; some of the entries may be written.
            ConfigError: Redis refuses this user.
        """
        now_ms = self._clock.now_ns() // 1_000_000
        pipeline = self._client.pipeline(transaction=False)
        # With every batch, for a Redis that was restarted has forgotten it; it is shorter than one event.
        pipeline.script_load(_COMPARE_AND_SET)
        writers: list[int] = []
        for i, entry in enumerate(entries):
            record = entry.record
            age_ms = max(0, now_ms - record.timestamp_ms) if record.timestamp_ms > 0 else 0
            if age_ms >= self._ttl_ms:
                self._metrics.cache_writes.labels("expired").inc(2)
                continue
            for key in (self._keys.latest(record.topic, entry.key), self._keys.result(entry.event_id)):
                writers.append(i)
                pipeline.evalsha(
                    self._script.sha,
                    1,
                    key,
                    record.value or b"",
                    record.topic,
                    str(record.partition),
                    str(record.offset),
                    str(record.timestamp_ms),
                    str(self._ttl_ms - age_ms),
                    str(NEW_TOPIC_MS),
                )
        if not writers:
            return [None] * len(entries)
        try:
            with translated(self._client):
                answers = pipeline.execute(raise_on_error=False)[1:]
        except Exception:
            self._metrics.cache_up.set(0)
            raise
        return self._results(len(entries), writers, answers)

    def close(self) -> None:
        """Disconnects."""
        self._client.close()

    def _results(self, count: int, writers: Sequence[int], answers: Sequence[object]) -> list[CacheUnavailable | None]:
        results: list[CacheUnavailable | None] = [None] * count
        for i, answer in zip(writers, answers, strict=True):
            if isinstance(answer, Exception):
                results[i] = unavailable(self._client, answer)
            else:
                self._metrics.cache_writes.labels("written" if answer else "stale").inc()
        self._metrics.cache_up.set(0 if any(results) else 1)
        return results
