"""The worker and the bare loop score the same readings on a real Kafka, and a wrong event would be seen."""

from __future__ import annotations

import gc
import sys
import uuid

import numpy as np
import pytest

from tests.bench.bench_command import run
from vss.bench.telemetry.bare import Rings
from vss.bench.telemetry.contest import make_feed
from vss.bench.telemetry.feed import event
from vss.bench.telemetry.outputs import check_outputs
from vss.config import KafkaSettings
from vss.errors import BrokenPromise
from vss.logs import get_logger
from vss.schemas.envelope import Message
from vss.schemas.topics import ANOMALIES
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.topic_admin import create_topics
from vss.workers.collector import looks_rarely
from vss.workers.turns import short_turns


def test_all_contenders_write_what_is_due_and_are_compared(bootstrap_servers: str) -> None:
    report = run("telemetry", "--readings", 20_000, "--rounds", 5, "--bootstrap-servers", bootstrap_servers)
    contenders = report["contenders"]
    assert isinstance(contenders, list)
    feed = make_feed(sensors=64, readings=20_000)
    by_name = {row["name"]: row for row in contenders}
    assert by_name.keys() == {"bare loop, 512", "bare loop, 2048", "vss worker"}
    # One warm-up and five rounds.
    assert {row["checked_events"] for row in contenders} == {6 * feed.events}
    assert by_name[report["bar"]]["ratio_to_bar"] == 1
    assert 0 < by_name["vss worker"]["cpu_ratio_to_bar"] < 1


def test_the_bare_loop_scores_as_the_reference_does() -> None:
    feed = make_feed(sensors=3, readings=3 * 400)
    documents = [
        {"sensor_id": f"s-{sensor:02d}", "ts": feed.start_ms + i * 1000, "values": {"p": float(p), "q": float(q)}}
        for i in range(400)
        for sensor in range(3)
        for p, q in [feed._values(sensor)[i]]
    ]
    reference = feed.reference()
    assert len(reference) == feed.events
    for size in (1, 7, 500):
        rings, found = Rings(3, size), {}
        for start in range(0, len(documents), size):
            for document, score in rings.scores(documents[start : start + size]):
                found[document["sensor_id"], document["ts"]] = score
        assert found.keys() == reference.keys()
        assert np.allclose([found[place] for place in reference], list(reference.values()), rtol=1e-9)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ([("s-00", 1, 0.5)], "1 events, 2 are due"),
        ([("s-00", 1, 0.5), ("s-00", 1, 0.5)], "twice"),
        ([("s-00", 1, 0.5), ("s-00", 2, 0.5)], "none is due"),
        ([("s-00", 1, 0.5), ("s-01", 1, 0.25000001)], "not 0.25"),
    ],
)
def test_a_wrong_output_is_refused(written: list[tuple[str, int, float]], fault: str, bootstrap_servers: str) -> None:
    prefix = f"bench-{uuid.uuid4().hex[:8]}."
    kafka_settings = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=prefix)
    create_topics(kafka_settings)
    topic = ANOMALIES.name(kafka_settings.topic_prefix)
    publisher = KafkaPublisher(kafka_settings, logger=get_logger("test"))
    for sensor, ts_ms, score in written:
        publisher.publish(Message(topic, b"k", event(sensor, ts_ms, score)))
    publisher.close()
    with pytest.raises(BrokenPromise, match=fault):
        check_outputs(kafka_settings, topic, {("s-00", 1): 0.5, ("s-01", 1): 0.25}, contender="x")


def test_garbage_is_looked_for_as_before_once_a_worker_has_ended() -> None:
    before = gc.get_threshold()
    with looks_rarely():
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > 0
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_threads_take_turns_as_before_once_a_worker_has_ended() -> None:
    before_s = sys.getswitchinterval()
    with short_turns():
        assert sys.getswitchinterval() < before_s
    assert sys.getswitchinterval() == before_s
