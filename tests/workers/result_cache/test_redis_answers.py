"""The cache of answers on a real Redis: there, away, silent, full."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
import structlog
from structlog.testing import LogCapture

from tests.workers.result_cache.opened import Open, Opened, wait_for
from vss.config import RedisSettings
from vss.errors import ConfigError
from vss.local.fleet import LocalFleet
from vss.local.ports import free_ports
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.testing import ManualClock
from vss.workers.result_cache.redis_answers import (
    LOOK_UP_S,
    MAX_LATE,
    MAX_VALUE_BYTES,
    MAX_WAITING,
    REST_S,
    RedisAnswers,
    open_result_cache,
)


def closed_port() -> int:
    return free_ports(1, random.Random())[0]


@pytest.fixture
def opened(redis_settings: RedisSettings, open_: Open) -> Opened:
    opened = open_(redis_settings)
    opened.wait_up()
    return opened


def test_what_was_put_is_found_by_its_key_alone(opened: Opened) -> None:
    opened.put_and_wait({"a": b'{"x":1}', "b": b"\x00\xff", "empty": b""})
    hits, misses = opened.looked_up("hit"), opened.looked_up("miss")
    assert opened.cache.get(["b", "other", "a", "empty"]) == [b"\x00\xff", None, b'{"x":1}', b""]
    assert (opened.looked_up("hit") - hits, opened.looked_up("miss") - misses) == (3, 1)


def test_nothing_is_asked_for_no_keys(opened: Opened) -> None:
    assert opened.cache.get([]) == []


def test_an_answer_expires_with_the_results_of_the_view(opened: Opened, redis_settings: RedisSettings) -> None:
    opened.put_and_wait({"ab12": b"answer"})
    client = redis.Redis.from_url(redis_settings.url)
    key = f"{redis_settings.key_prefix}answer:ab12"
    assert client.get(key) == b"answer"
    assert redis_settings.ttl_s - 60 < client.ttl(key) <= redis_settings.ttl_s == 3600
    client.close()


def test_two_workers_share_their_answers(opened: Opened, redis_settings: RedisSettings, open_: Open) -> None:
    opened.put_and_wait({"a": b"answer"})
    other = open_(redis_settings)
    other.wait_up()
    assert other.cache.get(["a"]) == [b"answer"]


def test_another_prefix_shares_nothing(opened: Opened, redis_settings: RedisSettings, open_: Open) -> None:
    opened.put_and_wait({"a": b"answer"})
    other = open_(redis_settings.model_copy(update={"key_prefix": f"{redis_settings.key_prefix}other:"}))
    other.wait_up()
    assert other.cache.get(["a"]) == [None]


def test_what_is_too_large_is_not_kept(opened: Opened) -> None:
    opened.cache.put({"large": bytes(MAX_VALUE_BYTES + 1)})
    opened.put_and_wait({"most": bytes(MAX_VALUE_BYTES)})
    assert opened.writes("dropped") == 1
    assert opened.cache.get(["large", "most"]) == [None, bytes(MAX_VALUE_BYTES)]


def test_what_another_program_left_under_a_key_is_a_miss(opened: Opened, redis_settings: RedisSettings) -> None:
    client = redis.Redis.from_url(redis_settings.url)
    client.hset(f"{redis_settings.key_prefix}answer:hash", "field", "value")
    client.set(f"{redis_settings.key_prefix}answer:huge", bytes(MAX_VALUE_BYTES + 1))
    client.close()
    assert opened.cache.get(["hash", "huge"]) == [None, None]
    assert opened.lines("result cache away") == 0


def test_a_redis_that_takes_nothing_is_told_of_once_and_still_read(
    redis_settings: RedisSettings, redis_url: str, open_: Open
) -> None:
    client = redis.Redis.from_url(redis_url)
    user = redis_settings.key_prefix.rstrip(":")
    client.acl_setuser(user, enabled=True, passwords=["+word"], keys=["*"], commands=["+@all", "-set"])
    opened = open_(redis_settings.model_copy(update={"url": redis_url.replace("//", f"//{user}:word@")}))
    opened.wait_up()
    client.set(f"{redis_settings.key_prefix}answer:a", b"there")
    for i in range(3):
        opened.cache.put({f"k{i}": b"answer"})
        wait_for(lambda i=i: opened.writes("dropped") == i + 1, "the answer is dropped")  # type: ignore[misc]
    assert opened.cache.get(["a"]) == [b"there"]
    assert (opened.lines("result cache takes no answers"), opened.lines("result cache away")) == (1, 0)
    client.acl_deluser(user)
    client.close()


def test_a_worker_without_redis_waits_for_nothing(open_: Open, tmp_path: Path) -> None:
    clock = ManualClock()
    opened = open_(RedisSettings(url=f"redis://127.0.0.1:{closed_port()}/0"), clock)
    wait_for(lambda: opened.lines("result cache away") == 1, "the first probe has failed")
    started_s = time.monotonic()
    for i in range(1000):
        assert opened.cache.get(["a", "b"]) == [None, None]
        opened.cache.put({f"k{i}": b"answer"})
    # Far below what even one wait of each would take.
    assert time.monotonic() - started_s < 1000 * LOOK_UP_S / 10
    assert (opened.looked_up("error"), opened.writes("dropped")) == (2000, 1000)
    clock.advance(REST_S)
    opened.cache.get(["a"])
    assert opened.lines("result cache away") == 1


def test_a_redis_that_is_killed_is_left_alone_until_it_is_back(tmp_path: Path, open_: Open) -> None:
    clock = ManualClock()
    fleet = LocalFleet(tmp_path)
    try:
        opened = open_(RedisSettings(url=fleet.up(kafka=False).redis_url), clock)
        opened.wait_up()
        opened.put_and_wait({"a": b"answer"})
        fleet.kill_redis()
        wait_for(lambda: opened.cache.get(["a"]) == [None], "Redis is away")
        fleet.restart_redis()
        for _ in range(20):
            assert opened.cache.get(["a"]) == [None]
        assert opened.lines("result cache back") == 0, "it was asked before its rest was over"

        clock.advance(REST_S)
        wait_for(lambda: (opened.cache.get(["a"]), opened.lines("result cache back"))[1] == 1, "Redis is back")
        opened.put_and_wait({"a": b"anew"})
        assert opened.cache.get(["a"]) == [b"anew"]
        assert opened.lines("result cache away") == 1
    finally:
        fleet.down()


def test_a_server_that_is_silent_is_never_waited_for(silent_server: str, open_: Open) -> None:
    clock = ManualClock()
    opened = open_(RedisSettings(url=silent_server), clock)
    started_s = time.monotonic()
    for _ in range(100):
        opened.cache.put({"a": b"answer"})
        assert opened.cache.get(["a"]) == [None]
        clock.advance(REST_S)  # a probe each time
    assert time.monotonic() - started_s < 2
    started_s = time.monotonic()
    opened.cache.close()
    assert time.monotonic() - started_s < 2


def test_a_redis_that_falls_silent_holds_a_few_batches_up_for_a_moment(opened: Opened, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    client.client_pause(800)
    slowest_s = 0.0
    for _ in range(50):
        started_s = time.monotonic()
        assert opened.cache.get(["a"]) == [None]
        slowest_s = max(slowest_s, time.monotonic() - started_s)
    client.client_unpause()
    client.close()
    assert slowest_s < 0.4  # LOOK_UP_S, on a machine that does other things too
    assert (opened.lines("result cache away"), opened.looked_up("error") >= 50) == (1, True)


class HeldBack:
    """Stands for a client of Redis; answers wait until `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()

    def mget(self, keys: Sequence[str]) -> list[bytes]:
        assert self.go.wait(10)
        return [b"answer"] * len(keys)

    def close(self) -> None:
        pass


def test_a_late_answer_now_and_then_is_no_outage_but_several_in_a_row_are() -> None:
    client: Any = HeldBack()
    log = LogCapture()
    logger: Any = structlog.wrap_logger(None, processors=[log], wrapper_class=structlog.BoundLogger)
    cache = RedisAnswers(RedisSettings(), metrics=Metrics(), clock=ManualClock(), logger=logger, client=client)
    wait_for(lambda: cache.get(["a"]) == [b"answer"], "the first probe has passed")
    for _ in range(2 * MAX_LATE):
        client.go.clear()
        assert cache.get(["a"]) == [None]
        client.go.set()
        wait_for(lambda: cache.get(["a"]) == [b"answer"], "it is asked again at once")
    assert log.entries == []
    client.go.clear()
    for _ in range(MAX_LATE):
        cache.get(["a"])
    assert [line["event"] for line in log.entries] == ["result cache away"]
    client.go.set()
    cache.close()


def test_writes_that_redis_does_not_take_in_time_are_dropped_and_counted(opened: Opened, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    client.client_pause(800)
    started_s = time.monotonic()
    for i in range(3 * MAX_WAITING):
        opened.cache.put({f"k{i}": b"answer"})
    assert time.monotonic() - started_s < 0.7
    assert opened.writes("dropped") >= MAX_WAITING
    client.client_unpause()
    client.close()
    wait_for(
        lambda: opened.writes("dropped") + opened.writes("written") == 3 * MAX_WAITING, "each is written or dropped"
    )


def test_a_cache_that_is_switched_off_is_none() -> None:
    settings = RedisSettings(result_cache=False)
    clock = ManualClock()
    assert open_result_cache(settings, metrics=Metrics(), clock=clock, logger=get_logger("test")) is None


def test_an_address_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"redis\.url"):
        open_result_cache(
            RedisSettings(url="nonsense"), metrics=Metrics(), clock=ManualClock(), logger=get_logger("test")
        )


def test_a_password_never_reaches_the_log(open_: Open) -> None:
    opened = open_(RedisSettings(url=f"redis://user:s3cret@127.0.0.1:{closed_port()}/0"))
    wait_for(lambda: opened.lines("result cache away") == 1, "the first probe has failed")
    assert "s3cret" not in str(opened.log.entries)
