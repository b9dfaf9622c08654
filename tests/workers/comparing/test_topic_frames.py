"""Frames of a topic, read from a real broker."""

from __future__ import annotations

import numpy as np
import pytest

from tests.views.makers import CommittedWriter, frame_message
from tests.workers.comparing.conftest import START_MS, FrameLog
from vss.codecs.images import encode_image
from vss.config import KafkaSettings, Settings
from vss.errors import ConfigError
from vss.streams.log_range import Moment
from vss.workers.offline.frames import BadFrame, Frame, Stretch, TopicFrames

JPEG = encode_image(np.zeros((48, 64, 3), np.uint8), "jpeg")


def at(second: float) -> Moment:
    return Moment(time_ms=START_MS + round(1000 * second))


def numbers(settings: Settings, **stretch: object) -> list[tuple[str, int | None]]:
    """Partition and offset of each frame, sorted: partitions come in any order."""
    found = list(TopicFrames(settings, Stretch("frames", **stretch)))  # type: ignore[arg-type]
    assert all(isinstance(one, Frame) for one in found)
    return sorted((one.place.source.partition("[")[2][0], one.place.number) for one in found)


def test_frames_between_two_times_are_read_without_the_last(settings: Settings, log: FrameLog) -> None:
    log.write([JPEG] * 10, partition=0)
    log.write([JPEG] * 4, partition=1, camera="yard")
    assert numbers(settings, start=at(2), end=at(5)) == [("0", 2), ("0", 3), ("0", 4), ("1", 2), ("1", 3)]
    assert numbers(settings, start=at(7.5)) == [("0", 8), ("0", 9)]
    assert numbers(settings, end=at(1)) == [("0", 0), ("1", 0)]
    assert numbers(settings, start=Moment(offset=3), end=Moment(offset=5)) == [("0", 3), ("0", 4), ("1", 3)]
    assert len(numbers(settings)) == 14


def test_a_limit_takes_the_first_of_every_partition_and_counts_them(settings: Settings, log: FrameLog) -> None:
    log.write([JPEG] * 10, partition=0)
    log.write([JPEG] * 2, partition=1)
    assert numbers(settings, limit=6) == [("0", 0), ("0", 1), ("0", 2), ("0", 3), ("1", 0), ("1", 1)]
    assert numbers(settings, limit=3, every=4) == [("0", 0), ("0", 4), ("1", 0)]
    assert TopicFrames(settings, Stretch("frames", limit=6)).count() == 6
    assert TopicFrames(settings, Stretch("frames", every=4)).count() == 4


def test_what_was_never_committed_is_not_compared_on(settings: Settings, kafka: KafkaSettings, log: FrameLog) -> None:
    writer = CommittedWriter(kafka)
    writer.write([frame_message(kafka, JPEG)] * 2, partition=0)
    writer.write_and_give_up([frame_message(kafka, b"given up")] * 3, partition=0)
    writer.write([frame_message(kafka, JPEG)], partition=0)
    # Offsets 2 and 6 hold the markers of transactions.
    assert numbers(settings) == [("0", 0), ("0", 1), ("0", 7)]


def test_a_frame_that_is_no_picture_is_handed_on_with_its_reason_and_place(settings: Settings, log: FrameLog) -> None:
    log.write([JPEG, b"no picture"], partition=2, camera="yard")
    good, bad = TopicFrames(settings, Stretch("frames"))
    assert isinstance(good, Frame)
    assert (good.picture.width, good.picture.height) == (64, 48)
    assert isinstance(bad, BadFrame)
    assert str(bad.place) == f"{log.topic}[2] yard #1"
    assert "no JPEG or PNG" in str(bad.error)


def test_a_topic_may_be_called_by_its_full_name(settings: Settings, log: FrameLog) -> None:
    log.write([JPEG])
    assert TopicFrames(settings, Stretch(log.topic)).topic == log.topic
    with pytest.raises(ConfigError, match="there is no topic farmes"):
        TopicFrames(settings, Stretch("farmes"))


def test_a_range_without_frames_is_refused(settings: Settings, log: FrameLog) -> None:
    with pytest.raises(ConfigError, match="holds no record"):
        TopicFrames(settings, Stretch("frames"))
    log.write([JPEG] * 3)
    with pytest.raises(ConfigError, match=r"no frame of .*frames lies in that range; the topic holds about 3 records"):
        TopicFrames(settings, Stretch("frames", start=at(60)))
