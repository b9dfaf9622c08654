"""Answers in Redis: looked up for a micro-batch at once, written behind the worker's back.

A cache must cost nothing when it does not work. So the loop's thread never talks to Redis itself: it waits at most
`LOOK_UP_S` for a thread that does, whatever that one hangs in (a name that does not resolve, a server that accepts and
is silent, one that sends a byte a second). After a failure nobody waits until a probe, made by that thread, was
answered in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

import redis

from vss.clock import Clock
from vss.config import RedisSettings
from vss.logs import Logger
from vss.metrics import Metrics
from vss.workers.redis_view.link import connect
from vss.workers.result_cache.breaker import Breaker
from vss.workers.result_cache.lane import Lane

LOOK_UP_S: Final = 0.05
"""The longest that a micro-batch waits, seconds. A local Redis answers 32 keys in a third of a millisecond."""
REST_S: Final = 5.0
"""How long a Redis that failed is left alone, seconds."""
MAX_LATE: Final = 3
"""Look-ups in a row that may come late before Redis counts as away: a busy machine is late now and then."""
MAX_VALUE_BYTES: Final = 64 << 10
"""A larger answer is not kept: 300 objects are about 40 kB."""
MAX_WAITING: Final = 1024
"""Answers that may wait to be written."""
_PIPELINE = 64


class RedisAnswers:
    """Keeps answers in Redis (see `vss.model_store.serving.result_cache.ResultCache`). Thread-safe.

    Counts `vss_result_cache_total` by frame (hit, miss, error: Redis was not asked or gave no answer in time) and
    `vss_result_cache_writes_total` (written, dropped).

    Args:
        settings: Where Redis is, keys and TTL.
        metrics: Where it is counted.
        clock: Measures rests, and how long a probe takes.
        logger: Told once when Redis goes, and once when it is back.
        client: For tests; by default one is made of the settings.

    Raises:
        ConfigError: The URL is none.
    """

    def __init__(
        self,
        settings: RedisSettings,
        *,
        metrics: Metrics,
        clock: Clock,
        logger: Logger,
        client: redis.Redis | None = None,
    ) -> None:
        self._client = client if client is not None else connect(settings)
        self._prefix = f"{settings.key_prefix}answer:"
        self._ttl_s = settings.ttl_s
        self._clock = clock
        self._logger = logger
        self._hits, self._misses, self._errors = (
            metrics.result_cache.labels(result) for result in ("hit", "miss", "error")
        )
        self._written, self._dropped = (metrics.result_cache_writes.labels(result) for result in ("written", "dropped"))
        self._breaker = Breaker(
            "result cache",
            fix="start Redis, or go without: --no-result-cache",
            rest_s=REST_S,
            clock=clock,
            logger=logger,
        )
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._refused = False
        self._late = 0
        # The loop's thread asks, and with a second model its threads may as well.
        self._reader = Lane("result-cache-read", waiting=8)
        self._writer = Lane("result-cache-write")
        # Connecting takes longer than a look-up may.
        self._probe_if_due()

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `ResultCache.get`."""
        values = self._look_up(keys) if keys else []
        if values is None:
            self._errors.inc(len(keys))
            return [None] * len(keys)
        hits = sum(value is not None for value in values)
        self._hits.inc(hits)
        self._misses.inc(len(values) - hits)
        return values

    def put(self, entries: Mapping[str, bytes]) -> None:
        """See `ResultCache.put`."""
        for key, value in entries.items():
            if not self._breaker.closed or len(value) > MAX_VALUE_BYTES or len(self._waiting) >= MAX_WAITING:
                self._dropped.inc()
            else:
                self._waiting.append((key, value))
        # Refused only where a write is still to start, which will take these along.
        self._writer.offer(self._write)

    def close(self) -> None:
        """Disconnects; what still waits is written if that takes no time. Idempotent."""
        self._writer.close()
        self._reader.close()
        self._client.close()

    def _look_up(self, keys: Sequence[str]) -> list[bytes | None] | None:
        """Values in the keys' order; None when Redis is away."""
        if not self._breaker.closed:
            self._probe_if_due()
            return None
        answer: Future[list[bytes | None]] = Future()
        try:
            if not self._reader.offer(lambda: self._read(keys, answer)):
                raise TimeoutError
            values = answer.result(LOOK_UP_S)
        except TimeoutError:
            self._late += 1
            if self._late >= MAX_LATE:
                self._breaker.failed(f"{MAX_LATE} times no answer within {LOOK_UP_S * 1000:.0f} ms")
        except Exception as error:  # whatever it is, the model answers instead
            self._breaker.failed(error)
        else:
            self._late = 0
            return values
        return None

    def _read(self, keys: Sequence[str], answer: Future[list[bytes | None]]) -> None:
        try:
            answer.set_result([_bytes(value) for value in self._mget(keys)])
        except Exception as error:
            answer.set_exception(error)

    def _mget(self, keys: Sequence[str]) -> Sequence[Any]:
        found: Any = self._client.mget([self._prefix + key for key in keys])
        values: Sequence[Any] = found
        return values

    def _probe_if_due(self) -> None:
        if self._breaker.take_probe():
            self._reader.offer(self._probe)

    def _probe(self) -> None:
        try:
            self._mget([""])  # connects
            started_s = self._clock.monotonic()
            self._mget([""])
            if self._clock.monotonic() - started_s > LOOK_UP_S:
                raise TimeoutError(f"no answer within {LOOK_UP_S * 1000:.0f} ms")
        except Exception as error:
            self._breaker.failed(error)
        else:
            self._late = 0
            self._breaker.passed()

    def _write(self) -> None:
        while self._waiting:
            entries = [self._waiting.popleft() for _ in range(min(_PIPELINE, len(self._waiting)))]
            try:
                pipeline = self._client.pipeline(transaction=False)
                for key, value in entries:
                    pipeline.set(self._prefix + key, value, ex=self._ttl_s)
                answers = pipeline.execute(raise_on_error=False)
            except Exception as error:
                self._breaker.failed(error)
                # What waits would hang as long again, batch after batch.
                self._dropped.inc(len(entries) + len(self._waiting))
                self._waiting.clear()
            else:
                self._note(answers)

    def _note(self, answers: Sequence[Any]) -> None:
        refusals = [answer for answer in answers if isinstance(answer, Exception)]
        self._dropped.inc(len(refusals))
        self._written.inc(len(answers) - len(refusals))
        # A Redis that is full or a replica can still be read.
        if refusals and not self._refused:
            self._logger.warning("result cache takes no answers", error=str(refusals[0]))
        self._refused = bool(refusals)


def _bytes(value: Any) -> bytes | None:
    return value if isinstance(value, bytes) and len(value) <= MAX_VALUE_BYTES else None


def open_result_cache(
    settings: RedisSettings, *, metrics: Metrics, clock: Clock, logger: Logger
) -> RedisAnswers | None:
    """The result cache of a worker; None where `redis.result_cache` is off. Returns at once, Redis there or not.

    Raises:
        ConfigError: The URL is none.
    """
    if not settings.result_cache:
        return None
    return RedisAnswers(settings, metrics=metrics, clock=clock, logger=logger)
