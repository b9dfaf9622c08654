from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable

import pytest
from structlog.typing import EventDict

from tests.camera.clips import jpeg_of
from vss.codecs.headers import decode_frame_header
from vss.errors import BrokerUnavailable, ConfigError, RecordTooLarge
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.schemas.envelope import Message, Record
from vss.testing import InMemoryBroker, InMemoryPublisher
from vss.workers.camera.encoder import Encoder
from vss.workers.camera.frame_message import FrameMessages
from vss.workers.camera.frame_taker import CapturedFrame
from vss.workers.camera.picture import EncodedPicture
from vss.workers.ingest.buffer import Buffer
from vss.workers.ingest.counts import Counts
from vss.workers.ingest.publishing import Publishing

Delivered = Callable[[Exception | None], None]
EPOCH = 1_700_000_000_000


class UneasyPublisher(InMemoryPublisher):
    """Fails deliveries as the test says, and makes room again when it is polled.

    Attributes:
        deliveries: How the next deliveries end; None and everything after the last is well.
        room_at_poll: Room that each third poll that waits makes.
        silent_polls: Polls that tell of no delivery yet.
    """

    def __init__(self, broker: InMemoryBroker) -> None:
        super().__init__(broker)
        self.deliveries: list[Exception | None] = []
        self.room_at_poll = 0
        self.silent_polls = 0
        self.waits = 0

    def publish(self, message: Message, on_delivery: Delivered | None = None) -> bool:
        error = self.deliveries.pop(0) if self.deliveries else None
        if error is None:
            return super().publish(message, on_delivery)
        assert on_delivery is not None
        on_delivery(error)
        return True

    def poll(self, timeout_s: float = 0.0) -> None:
        if self.silent_polls:
            self.silent_polls -= 1
        else:
            super().poll(timeout_s)
        if timeout_s:
            self.waits += 1
            if self.room is not None and self.waits % 3 == 0:
                self.room += self.room_at_poll


class PublishingRig:
    """Publishing alone, on this thread."""

    def __init__(self) -> None:
        self.broker = InMemoryBroker({"frames": 1})
        self.publisher = UneasyPublisher(self.broker)
        self.metrics = Metrics()
        self.stop = threading.Event()

    def run(self, pictures: list[bytes], *, live: bool) -> list[Record]:
        buffer: Buffer[CapturedFrame] = Buffer(len(pictures), shed_oldest=live)
        for seq, data in enumerate(pictures):
            buffer.put(CapturedFrame(seq, 1_700_000_000_123_456_789 + seq, seq * 40, EncodedPicture(data)))
        buffer.close()
        encoder = Encoder(codec="jpeg", width=None, quality=None)
        metrics = self.metrics
        Publishing(
            buffer,
            FrameMessages("gate", EPOCH, encoder, topic="frames", random=random.Random(1)).encode,
            self.publisher,
            sheds=live,
            items="frames",
            counts=Counts("gate", metrics.frames_captured, metrics.frames_published, metrics.frames_dropped),
            stop=self.stop,
            logger=get_logger("camera"),
        ).run()
        return self.broker.records("frames")

    def dropped(self, reason: str) -> float | None:
        return self.metrics.registry.get_sample_value("vss_frames_dropped_total", {"camera": "gate", "reason": reason})

    def published(self) -> float | None:
        return self.metrics.registry.get_sample_value("vss_frames_published_total", {"camera": "gate"})


@pytest.fixture
def rig() -> PublishingRig:
    return PublishingRig()


def jpegs(count: int) -> list[bytes]:
    return [jpeg_of(index) for index in range(count)]


def seqs(records: list[Record]) -> list[int | None]:
    return [decode_frame_header(record).seq for record in records]


def test_a_frame_carries_everything_known_about_it(rig: PublishingRig) -> None:
    first, second = rig.run(jpegs(2), live=False)
    assert (first.key, first.value) == (b"gate", jpeg_of(0))
    headers = {name: (value or b"").decode() for name, value in second.headers}
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", headers.pop("traceparent"))
    assert headers == {
        "ce_specversion": "1.0",
        "ce_type": "vss.frame.v1",
        "ce_id": f"{EPOCH}-1",
        "ce_source": "/cameras/gate",
        "ce_time": "2023-11-14T22:13:20.123456Z",
        "content-type": "image/jpeg",
        "datacontenttype": "image/jpeg",
        "vss_epoch": str(EPOCH),
        "vss_seq": "1",
        "vss_pts_ns": "40",
        "vss_width": "96",
        "vss_height": "64",
    }


def test_ids_and_traces_are_unique(rig: PublishingRig) -> None:
    headers = [decode_frame_header(record) for record in rig.run(jpegs(20), live=False)]
    assert len({header.id for header in headers}) == 20
    assert len({header.traceparent for header in headers}) == 20


def test_a_picture_that_cannot_be_decoded_costs_itself_alone(rig: PublishingRig, log_lines: list[EventDict]) -> None:
    bad = jpeg_of(1)[:-40]
    assert seqs(rig.run([jpeg_of(0), bad, jpeg_of(2), bad, jpeg_of(4)], live=False)) == [0, 2, 4]
    assert rig.dropped("undecodable") == 2
    assert len(log_lines) == 1


def test_a_live_source_sheds_what_kafkas_queue_has_no_room_for(rig: PublishingRig, log_lines: list[EventDict]) -> None:
    rig.publisher.room = 3
    assert seqs(rig.run(jpegs(10), live=True)) == [0, 1, 2]
    assert rig.dropped("queue_full") == 7
    assert rig.published() == 3
    assert len(log_lines) == 1


def test_a_file_waits_for_room_in_kafkas_queue(rig: PublishingRig) -> None:
    rig.publisher.room = 0
    rig.publisher.room_at_poll = 1
    assert seqs(rig.run(jpegs(10), live=False)) == list(range(10))
    assert rig.dropped("queue_full") == 0
    assert rig.publisher.waits == 30


def test_a_file_has_not_ended_before_kafka_confirmed_its_last_frame(rig: PublishingRig) -> None:
    rig.publisher.silent_polls = 15
    rig.run(jpegs(10), live=False)
    assert rig.published() == 10


def test_a_file_that_is_stopped_waits_no_more(rig: PublishingRig) -> None:
    rig.publisher.room = 4
    rig.stop.set()
    assert seqs(rig.run(jpegs(10), live=False)) == [0, 1, 2, 3]
    assert rig.dropped("stopped") == 6


def test_an_outage_is_one_line_and_its_end_another(rig: PublishingRig, log_lines: list[EventDict]) -> None:
    away = BrokerUnavailable("timed out")
    rig.publisher.deliveries = [None, away, away, away, None, None, away, None]
    rig.run(jpegs(10), live=True)
    assert rig.dropped("broker_away") == 4
    assert rig.published() == 6
    lost, written = "frames are lost; vss_frames_dropped_total counts them", "frames are written again"
    assert [line["event"] for line in log_lines] == [lost, written, lost, written]


@pytest.mark.parametrize("live", [True, False])
def test_a_frame_too_large_for_the_topic_costs_itself_alone(rig: PublishingRig, live: bool) -> None:
    rig.publisher.deliveries = [None, RecordTooLarge("20000000 bytes")]
    assert seqs(rig.run(jpegs(4), live=live)) == [0, 2, 3]
    assert rig.dropped("too_large") == 1


def test_a_refusal_ends_a_file_for_its_frames_must_not_be_lost(rig: PublishingRig) -> None:
    rig.publisher.deliveries = [None, ConfigError("no such topic", fix="vss topics create")]
    with pytest.raises(ConfigError, match="no such topic"):
        rig.run(jpegs(10), live=False)
    assert rig.dropped("refused") == 1


def test_a_refusal_does_not_end_a_live_source(rig: PublishingRig) -> None:
    rig.publisher.deliveries = [ConfigError("no such topic")] * 3
    assert seqs(rig.run(jpegs(5), live=True)) == [3, 4]
    assert rig.dropped("refused") == 3
