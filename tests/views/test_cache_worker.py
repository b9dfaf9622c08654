"""The cache worker on a real Kafka and a Redis that is killed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
import structlog
from structlog.testing import LogCapture

from tests.views.makers import TIME, CommittedWriter, detection, detection_record, event_message
from vss.clock import SystemClock
from vss.config import KafkaSettings, LoopSettings, RedisSettings, Settings
from vss.errors import CacheUnavailable, EmptyValue, MalformedEvent, MissingKey, RecordTooLarge
from vss.local.fleet import LocalFleet
from vss.metrics import Metrics
from vss.schemas.envelope import Message, Outcome, OutcomeKind, Record
from vss.schemas.topics import DEAD_LETTERS, DETECTIONS
from vss.streams.log_reader import LogReader
from vss.workers.redis_view.keys import FIELDS
from vss.workers.redis_view.reader import ResultView
from vss.workers.redis_view.rebuild import rebuild_view
from vss.workers.redis_view.step import cache_step, view_topics
from vss.workers.service import make_loop

PATIENCE_S = 60


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.05)


class Worker:
    """A cache worker in a thread of the test, with its log and its metrics."""

    def __init__(self, settings: Settings) -> None:
        self.metrics = Metrics()
        self.log = LogCapture()
        self._settings = settings
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Worker:
        self._step = cache_step(self._settings, metrics=self.metrics, clock=SystemClock())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        assert self._failure is None

    def lines(self, event: str) -> list[Any]:
        return [line for line in self.log.entries if line["event"] == event]

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def _run(self) -> None:
        logger: Any = structlog.wrap_logger(None, processors=[self.log], wrapper_class=structlog.BoundLogger)
        try:
            with ExitStack() as resources:
                make_loop(
                    self._step,
                    settings=self._settings,
                    topics=view_topics(self._settings.kafka.topic_prefix),
                    metrics=self.metrics,
                    logger=logger,
                    resources=resources,
                ).run(self._stop)
        except BaseException as error:
            self._failure = error


def events(kafka: KafkaSettings, seqs: Sequence[int], *, cameras: int = 5) -> list[Message]:
    return [event_message(kafka, detection(seq, camera=f"cam-{seq % cameras}")) for seq in seqs]


def view_of(settings: RedisSettings) -> dict[str, tuple[list[Any], int]]:
    """Everything in the view: fields and remaining life of each key."""
    client = redis.Redis.from_url(settings.url)
    try:
        return {
            key.decode(): (list(client.hmget(key, FIELDS)), client.pttl(key))
            for key in client.scan_iter(match=f"{settings.key_prefix}*", count=1000)
        }
    finally:
        client.close()


def newest(settings: Settings, camera: str) -> int | None:
    with ResultView.connect(settings.redis, topic_prefix=settings.kafka.topic_prefix) as view:
        seen = view.latest(camera)
    return None if seen is None else seen.event().seq


def test_a_rebuilt_view_equals_the_live_one(settings: Settings, writer: CommittedWriter) -> None:
    kafka = settings.kafka
    with Worker(settings) as worker:
        writer.write(events(kafka, range(40)))
        writer.write_and_give_up(events(kafka, range(40, 60)))
        writer.write(events(kafka, range(60, 90)))
        wait_for(lambda: worker.value("vss_outcomes_total", step="cache", kind="view") == 70, "70 results in the view")
    live = view_of(settings.redis)
    assert len(live) == 70 + 5
    assert newest(settings, "cam-4") == 89

    client = redis.Redis.from_url(settings.redis.url)
    client.delete(*live)
    client.close()
    logger: Any = structlog.wrap_logger(None, processors=[LogCapture()], wrapper_class=structlog.BoundLogger)
    report = rebuild_view(settings, metrics=Metrics(), clock=SystemClock(), logger=logger)

    assert (report.results, report.left_out) == (70, 0)
    rebuilt = view_of(settings.redis)
    assert {key: fields for key, (fields, _) in rebuilt.items()} == {key: fields for key, (fields, _) in live.items()}
    # It does not live longer for having been rebuilt.
    assert all(rebuilt[key][1] <= live[key][1] for key in live)


def test_a_rebuild_beside_a_live_worker_never_sets_a_result_back(settings: Settings, writer: CommittedWriter) -> None:
    kafka = settings.kafka
    logger: Any = structlog.wrap_logger(None, processors=[LogCapture()], wrapper_class=structlog.BoundLogger)
    seen: list[int] = []
    with Worker(settings):
        writer.write(events(kafka, range(50), cameras=1))
        wait_for(lambda: newest(settings, "cam-0") == 49, "the first results")
        rebuilds = [
            threading.Thread(
                target=rebuild_view,
                args=(settings,),
                kwargs={"metrics": Metrics(), "clock": SystemClock(), "logger": logger},
            )
            for _ in range(2)
        ]
        for rebuild in rebuilds:
            rebuild.start()
        for seq in range(50, 80):
            writer.write(events(kafka, [seq], cameras=1))
            seen.append(newest(settings, "cam-0") or 0)
        for rebuild in rebuilds:
            rebuild.join()
        wait_for(lambda: newest(settings, "cam-0") == 79, "the last result")
    assert seen == sorted(seen)


def test_a_result_that_does_not_fit_is_a_dead_letter_and_its_neighbours_are_taken(
    settings: Settings, writer: CommittedWriter
) -> None:
    kafka = settings.kafka
    broken = Message(DETECTIONS.name(kafka.topic_prefix), b"cam-0", b'{"id": 1}')
    with Worker(settings) as worker:
        writer.write([*events(kafka, [0]), broken, *events(kafka, [5])], partition=0)
        wait_for(lambda: worker.value("vss_outcomes_total", step="cache", kind="dead_letter") == 1, "the dead letter")
        wait_for(lambda: newest(settings, "cam-0") == 5, "its neighbour")
    topic = DEAD_LETTERS.name(kafka.topic_prefix)
    with LogReader(kafka) as reader:
        spans = reader.spans([topic])
        batches = reader.read({p: s.low for p, s in spans.items()}, {p: s.end for p, s in spans.items()})
        (letter,) = [record for records in batches for record in records]
    assert letter.value == broken.value


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[LocalFleet]:
    """A Redis of the test's own, to be killed."""
    fleet = LocalFleet(tmp_path / "redis")
    fleet.up(kafka=False)
    yield fleet
    fleet.down()


def test_redis_killed_and_back_is_two_log_lines_and_no_result_lost(
    kafka: KafkaSettings, writer: CommittedWriter, own_redis: LocalFleet
) -> None:
    settings = Settings(
        kafka=kafka,
        redis=RedisSettings(url=own_redis.addresses.redis_url, timeout_s=1),
        loop=LoopSettings(max_batch=8, batches_in_flight=2),
    )
    with Worker(settings) as worker:
        writer.write(events(kafka, range(10)))
        wait_for(lambda: newest(settings, "cam-4") == 9, "the view before")
        assert worker.value("vss_cache_up") == 1

        own_redis.kill_redis()
        # Several batches, more than are in flight at once. Writing them is not held up by the view.
        writer.write(events(kafka, range(10, 60)))
        wait_for(lambda: worker.value("vss_cache_up") == 0, "the metric of the outage")
        paused = worker.value("vss_errors_total", error="CacheUnavailable", action="pause")
        wait_for(
            lambda: worker.value("vss_errors_total", error="CacheUnavailable", action="pause") > paused + 2,
            "further tries",
        )
        assert worker.value("vss_outcomes_total", step="cache", kind="view") == 10

        own_redis.restart_redis()
        wait_for(lambda: worker.value("vss_outcomes_total", step="cache", kind="view") == 60, "the view to catch up")
        wait_for(lambda: newest(settings, "cam-4") == 59, "the newest result")
        assert worker.value("vss_cache_up") == 1

    assert [line["log_level"] for line in worker.lines("paused")] == ["warning"]
    assert worker.lines("paused")[0]["error"] == "CacheUnavailable"
    assert len(worker.lines("goes on")) == 1
    assert worker.value("vss_outcomes_total", step="cache", kind="dead_letter") == 0
    with ResultView.connect(settings.redis, topic_prefix=kafka.topic_prefix) as view:
        # What came while it was away is there; whether what was there before survived is up to Redis.
        assert all(view.result(detection(seq, camera=f"cam-{seq % 5}").id) for seq in range(10, 60))


def test_a_worker_that_waits_for_redis_stops_when_told(
    kafka: KafkaSettings, writer: CommittedWriter, own_redis: LocalFleet
) -> None:
    settings = Settings(kafka=kafka, redis=RedisSettings(url=own_redis.addresses.redis_url, timeout_s=1))
    with Worker(settings) as worker:
        own_redis.kill_redis()
        writer.write(events(kafka, range(3)))
        wait_for(lambda: len(worker.lines("paused")) == 1, "the pause")
        told = time.monotonic()
    assert time.monotonic() - told < 15
    # Nothing was committed, so the next worker reads it again.
    own_redis.restart_redis()
    with Worker(settings):
        wait_for(lambda: newest(settings, "cam-2") == 2, "the next worker's view")


# What a batch becomes, without Kafka.


def test_each_fault_of_a_result_has_its_reason(redis_settings: RedisSettings) -> None:
    settings = Settings(redis=redis_settings)
    step = cache_step(settings, metrics=Metrics(), clock=SystemClock())
    now_ms = time.time_ns() // 1_000_000
    good = detection_record(1, timestamp_ms=now_ms)

    def like(**changes: Any) -> Record:
        return good._replace(**changes)

    assert good.value is not None
    batch = [
        good,
        like(value=None),
        like(key=None),
        like(key=b"\xff"),
        like(value=b"[]"),
        like(value=good.value.replace(TIME.encode(), b"yesterday", 1)),
        like(value=b" " * (DETECTIONS.max_message_bytes + 1)),
        like(value=good.value.replace(b'"gate-1"', b'""')),
        like(offset=2),
    ]
    results = step.begin(batch).results()
    step.close()

    kinds = [result.kind if isinstance(result, Outcome) else type(result) for result in results]
    assert kinds == [
        OutcomeKind.VIEW,
        EmptyValue,
        MissingKey,
        MalformedEvent,
        MalformedEvent,
        MalformedEvent,
        RecordTooLarge,
        MalformedEvent,
        OutcomeKind.VIEW,
    ]


def test_while_redis_is_away_only_what_could_be_written_waits() -> None:
    settings = Settings(redis=RedisSettings(url="redis://127.0.0.1:1"))
    with pytest.raises(CacheUnavailable):
        cache_step(settings, metrics=Metrics(), clock=SystemClock())

    from vss.workers.redis_view.step import CacheStep, entry_maker
    from vss.workers.redis_view.writer import ViewWriter

    step = CacheStep(
        ViewWriter(settings.redis, metrics=Metrics(), clock=SystemClock()), entry_maker(settings.kafka.topic_prefix)
    )
    good = detection_record(1, timestamp_ms=time.time_ns() // 1_000_000)
    bad = Record("vss.detections", 0, 2, b"gate", b"no json")
    results = step.begin([good, bad]).results()
    assert [type(result) for result in results] == [CacheUnavailable, MalformedEvent]
