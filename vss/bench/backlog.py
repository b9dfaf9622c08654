"""Topics full of frames that wait for a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vss.config import KafkaSettings
from vss.errors import StreamError
from vss.logs import get_logger
from vss.schemas.envelope import Message
from vss.schemas.topics import FRAMES
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.topic_admin import create_topics
from vss.testing import make_frame

_CAMERAS: Final = 16
_PATIENCE_S: Final = 120.0


def publish_backlog(settings: KafkaSettings, jpegs: Sequence[bytes], frames: int) -> None:
    """Makes the topics and publishes that many frames of several cameras.

    Raises:
        StreamError: The cluster does not take them.
    """
    create_topics(settings)
    topic = FRAMES.name(settings.topic_prefix)
    publisher = KafkaPublisher(settings, logger=get_logger("bench"))
    template = [make_frame(f"camera-{i}") for i in range(_CAMERAS)]
    try:
        for i in range(frames):
            like = template[i % _CAMERAS]
            message = Message(topic, like.key, jpegs[i % len(jpegs)], like.headers)
            while not publisher.publish(message):
                publisher.poll(0.1)
        if publisher.flush(_PATIENCE_S):
            raise StreamError("the cluster did not take the frames in time")
    finally:
        publisher.close()
