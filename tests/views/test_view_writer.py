from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.views.makers import detection_record
from vss.config import RedisSettings
from vss.errors import CacheUnavailable, ConfigError
from vss.local.fleet import LocalFleet
from vss.metrics import Metrics
from vss.testing import ManualClock
from vss.workers.redis_view.reader import ResultView, Seen
from vss.workers.redis_view.writer import NEW_TOPIC_MS, ViewEntry, ViewWriter

NOW_MS = 1_800_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS * 1_000_000)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def writer(redis_settings: RedisSettings, metrics: Metrics, clock: ManualClock) -> Iterator[ViewWriter]:
    made = ViewWriter(redis_settings, metrics=metrics, clock=clock)
    yield made
    made.close()


@pytest.fixture
def view(redis_settings: RedisSettings) -> Iterator[ResultView]:
    with ResultView.connect(redis_settings) as made:
        yield made


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


def entry(
    offset: int, *, partition: int = 0, timestamp_ms: int = NOW_MS, topic: str = "vss.detections", camera: str = "gate"
) -> ViewEntry:
    record = detection_record(offset, topic=topic, partition=partition, camera=camera, timestamp_ms=timestamp_ms)
    return ViewEntry(record, f"{topic}-{partition}-{offset}", camera)


def written(metrics: Metrics, result: str) -> float:
    return metrics.registry.get_sample_value("vss_cache_writes_total", {"result": result}) or 0.0


def test_the_value_is_kept_byte_for_byte(writer: ViewWriter, view: ResultView) -> None:
    newest = entry(7)
    assert writer.write([newest]) == [None]
    seen = Seen(newest.record.value or b"", "vss.detections", 0, 7, NOW_MS)
    assert view.latest("gate") == seen
    assert view.result(newest.event_id) == seen
    assert seen.event().seq == 7
    assert view.latest("yard") is None
    assert view.result("nothing") is None


def test_an_older_offset_never_overwrites_a_newer_one(writer: ViewWriter, view: ResultView, metrics: Metrics) -> None:
    writer.write([entry(5), entry(4)])
    writer.write([entry(3)])
    latest = view.latest("gate")
    assert latest is not None
    assert latest.offset == 5
    assert written(metrics, "stale") == 2
    # Each of them is still readable by its id.
    assert all(view.result(entry(offset).event_id) for offset in (3, 4, 5))


def test_a_repeat_changes_nothing_and_does_not_prolong_a_result(
    writer: ViewWriter, raw: redis.Redis, redis_settings: RedisSettings
) -> None:
    key = f"{redis_settings.key_prefix}latest:vss.detections:gate"
    writer.write([entry(5)])
    raw.pexpire(key, 40_000)
    writer.write([entry(5)])
    assert 0 < raw.pttl(key) <= 40_000


def test_in_another_partition_the_later_timestamp_is_newer(writer: ViewWriter, view: ResultView) -> None:
    # The topic has grown and the camera's key lives in partition 6 now, where offsets start from 0.
    writer.write([entry(900, partition=1, timestamp_ms=NOW_MS - 50)])
    writer.write([entry(0, partition=6, timestamp_ms=NOW_MS)])
    # A rebuild reads the old partition once more.
    writer.write([entry(900, partition=1, timestamp_ms=NOW_MS - 50)])
    latest = view.latest("gate")
    assert latest is not None
    assert (latest.partition, latest.offset) == (6, 0)


def test_a_topic_made_anew_counts_from_zero_and_is_newer(writer: ViewWriter, view: ResultView) -> None:
    writer.write([entry(900, timestamp_ms=NOW_MS - NEW_TOPIC_MS - 1)])
    writer.write([entry(0, timestamp_ms=NOW_MS)])
    latest = view.latest("gate")
    assert latest is not None
    assert latest.offset == 0


def test_clocks_that_disagree_a_little_do_not_let_an_older_offset_win(writer: ViewWriter, view: ResultView) -> None:
    writer.write([entry(10, timestamp_ms=NOW_MS - 30_000)])
    writer.write([entry(9, timestamp_ms=NOW_MS)])
    latest = view.latest("gate")
    assert latest is not None
    assert latest.offset == 10


def test_two_fleets_in_one_redis_do_not_mix(writer: ViewWriter, redis_settings: RedisSettings) -> None:
    writer.write([entry(1, topic="a.detections"), entry(2, topic="b.detections")])
    for prefix, offset in (("a.", 1), ("b.", 2)):
        with ResultView.connect(redis_settings, topic_prefix=prefix) as view:
            latest = view.latest("gate")
            assert latest is not None
            assert latest.offset == offset


def test_the_cameras_of_a_view_are_listed(writer: ViewWriter, view: ResultView) -> None:
    writer.write([entry(1, camera="yard:north*[1]"), entry(2, camera="gate"), entry(3, topic="x.detections")])
    assert view.keys() == ["gate", "yard:north*[1]"]


def ttl_ms(raw: redis.Redis, settings: RedisSettings, kind: str) -> int:
    (key,) = raw.scan_iter(match=f"{settings.key_prefix}{kind}:*")
    left = raw.pttl(key)
    assert isinstance(left, int)
    return left


def test_a_result_expires_ttl_after_it_was_made_not_after_it_was_written(
    writer: ViewWriter, raw: redis.Redis, redis_settings: RedisSettings
) -> None:
    writer.write([entry(1, timestamp_ms=NOW_MS - 3_000_000)])
    for kind in ("latest", "result"):
        assert 590_000 < ttl_ms(raw, redis_settings, kind) <= 600_000


def test_a_result_of_the_future_or_without_time_expires_after_a_whole_ttl(
    writer: ViewWriter, raw: redis.Redis, redis_settings: RedisSettings
) -> None:
    writer.write([entry(1, timestamp_ms=NOW_MS + 3_000_000)])
    assert 3_590_000 < ttl_ms(raw, redis_settings, "latest") <= 3_600_000


def test_a_result_that_has_expired_already_is_not_written(
    writer: ViewWriter, view: ResultView, metrics: Metrics
) -> None:
    assert writer.write([entry(1, timestamp_ms=NOW_MS - 3_600_000)]) == [None]
    assert view.latest("gate") is None
    assert written(metrics, "expired") == 2


def test_redis_forgets_results_by_itself(redis_settings: RedisSettings, view: ResultView, clock: ManualClock) -> None:
    short = redis_settings.model_copy(update={"ttl_s": 1})
    writer = ViewWriter(short, metrics=Metrics(), clock=clock)
    writer.write([entry(1)])
    assert view.latest("gate") is not None
    deadline = time.monotonic() + 20
    while view.latest("gate") is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert view.latest("gate") is None
    assert view.result(entry(1).event_id) is None
    writer.close()


def test_what_stands_under_our_key_and_is_not_ours_is_replaced(
    writer: ViewWriter, view: ResultView, raw: redis.Redis, redis_settings: RedisSettings
) -> None:
    raw.set(f"{redis_settings.key_prefix}latest:vss.detections:gate", "somebody else's")
    assert writer.write([entry(1)]) == [None]
    assert view.latest("gate") is not None


def test_a_redis_that_has_forgotten_the_script_learns_it_again(
    writer: ViewWriter, view: ResultView, raw: redis.Redis
) -> None:
    writer.write([entry(1)])
    raw.script_flush()
    assert writer.write([entry(2)]) == [None]
    latest = view.latest("gate")
    assert latest is not None
    assert latest.offset == 2


# A camera's results: in partition 1 until the topic grew, in partition 4 from then on.
HISTORY = [
    *(entry(100 + n, partition=1, timestamp_ms=NOW_MS - 1000 + n) for n in range(4)),
    *(entry(n, partition=4, timestamp_ms=NOW_MS - 500 + n) for n in range(4)),
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(HISTORY), repeats=st.lists(st.sampled_from(HISTORY), max_size=6), cut=st.integers(1, 8))
def test_any_order_and_any_repeat_leaves_the_same_view(
    order: Sequence[ViewEntry],
    repeats: Sequence[ViewEntry],
    cut: int,
    writer: ViewWriter,
    view: ResultView,
    raw: redis.Redis,
    redis_settings: RedisSettings,
) -> None:
    for key in raw.scan_iter(match=f"{redis_settings.key_prefix}*"):
        raw.delete(key)
    everything = [*order, *repeats]
    for start in range(0, len(everything), cut):
        writer.write(everything[start : start + cut])
    latest = view.latest("gate")
    assert latest is not None
    assert (latest.partition, latest.offset) == (4, 3)
    assert all(view.result(each.event_id) for each in HISTORY)


def test_a_url_that_is_none_is_a_setting_to_correct() -> None:
    with pytest.raises(ConfigError, match=r"redis\.url"):
        ViewWriter(RedisSettings(url="127.0.0.1:6379"), metrics=Metrics(), clock=ManualClock())


def test_no_redis_is_one_error_with_the_fix_and_without_the_password(clock: ManualClock) -> None:
    metrics = Metrics()
    writer = ViewWriter(RedisSettings(url="redis://:hush@127.0.0.1:1/0"), metrics=metrics, clock=clock)
    for call in (writer.check, lambda: writer.write([entry(1)])):
        with pytest.raises(CacheUnavailable, match=r"127\.0\.0\.1:1") as error:
            call()
        assert "vss up" in error.value.fix
        assert "hush" not in str(error.value)
    assert metrics.registry.get_sample_value("vss_cache_up") == 0


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that may be filled up and locked."""
    fleet = LocalFleet(tmp_path_factory.mktemp("redis"))
    yield fleet.up(kafka=False).redis_url
    fleet.down()


def test_a_full_redis_counts_as_away_until_there_is_room(own_redis: str, clock: ManualClock) -> None:
    metrics = Metrics()
    writer = ViewWriter(RedisSettings(url=own_redis), metrics=metrics, clock=clock)
    admin = redis.Redis.from_url(own_redis)
    admin.config_set("maxmemory", 1)
    try:
        (error,) = writer.write([entry(1)])
        assert isinstance(error, CacheUnavailable)
        assert metrics.registry.get_sample_value("vss_cache_up") == 0
    finally:
        admin.config_set("maxmemory", 0)
    assert writer.write([entry(1)]) == [None]
    assert metrics.registry.get_sample_value("vss_cache_up") == 1
    writer.close()
    admin.close()


def test_a_wrong_password_is_a_setting_to_correct(own_redis: str, clock: ManualClock) -> None:
    admin = redis.Redis.from_url(own_redis)
    admin.config_set("requirepass", "right")
    writer = ViewWriter(RedisSettings(url=own_redis), metrics=Metrics(), clock=clock)
    try:
        with pytest.raises(ConfigError, match="refuses this user"):
            writer.check()
    finally:
        admin.config_set("requirepass", "")
        admin.close()
        writer.close()
