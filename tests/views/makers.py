"""Events, notes and dead letters as workers write them, and a writer that commits or gives up."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from confluent_kafka import Producer

from vss.codecs.events import encode_event
from vss.codecs.headers import event_headers
from vss.config import KafkaSettings
from vss.errors import UndecodableImage
from vss.logs import get_logger
from vss.schemas.envelope import Message, Record
from vss.schemas.events import (
    CLASSIFICATION_TYPE,
    DETECTION_TYPE,
    SHED_TYPE,
    ClassificationEvent,
    ClassPrediction,
    DetectedObject,
    DetectionEvent,
    ObjectPlace,
    ShedNote,
    SourceCoordinates,
)
from vss.schemas.topics import CLASSIFICATIONS, DEAD_LETTERS, DETECTIONS, FRAMES, SHED
from vss.streams.dead_letters import dead_letter
from vss.streams.kafka_config import client, transactional_config

TIME = "2026-03-01T12:00:00.500000Z"


def detection(seq: int, *, camera: str = "gate", source: SourceCoordinates | None = None) -> DetectionEvent:
    box = (1.0, 2.0, 31.0, 42.0)
    return DetectionEvent(
        id=f"{camera}-{seq}",
        camera_id=camera,
        captured_at=TIME,
        epoch=1,
        seq=seq,
        width=768,
        height=432,
        objects=(DetectedObject(class_="bottle", class_id=3, confidence=0.75, bbox=box, center=(16.0, 22.0)),),
        total_objects=1,
        model_name="conveyor",
        model_version="1",
        inference_time=0.01,
        processing_time=0.02,
        timestamp=TIME,
        source=source or SourceCoordinates("vss.frames", 0, seq),
    )


def classification(
    seq: int, *, camera: str = "gate", source: SourceCoordinates | None = None, of_object: int | None = None
) -> ClassificationEvent:
    place = (
        ObjectPlace(index=of_object, class_="bottle", bbox=(1.0, 2.0, 31.0, 42.0)) if of_object is not None else None
    )
    return ClassificationEvent(
        id=f"c-{camera}-{seq}-{of_object}",
        camera_id=camera,
        captured_at=TIME,
        epoch=1,
        seq=seq,
        width=768,
        height=432,
        predictions=(
            ClassPrediction(class_="glass", class_id=1, confidence=0.75),
            ClassPrediction(class_="plastic", class_id=0, confidence=0.25),
        ),
        top_prediction="glass",
        confidence=0.75,
        object=place,
        model_name="material",
        model_version="2",
        inference_time=0.01,
        processing_time=0.02,
        timestamp=TIME,
        source=source or SourceCoordinates("vss.frames", 0, seq),
    )


def classification_message(kafka: KafkaSettings, event: ClassificationEvent, *, source: str) -> Message:
    headers = event_headers(id=event.id, type=CLASSIFICATION_TYPE, source=source, time=TIME, traceparent=None)
    return Message(CLASSIFICATIONS.name(kafka.topic_prefix), event.camera_id.encode(), encode_event(event), headers)


def detection_record(
    offset: int, *, topic: str = "vss.detections", partition: int = 0, camera: str = "gate", timestamp_ms: int
) -> Record:
    value = encode_event(detection(offset, camera=camera))
    return Record(topic, partition, offset, camera.encode(), value, (), timestamp_ms)


def event_message(kafka: KafkaSettings, event: DetectionEvent, *, group: str | None = None) -> Message:
    source = f"/groups/{group}" if group is not None else "/elsewhere"
    headers = event_headers(id=event.id, type=DETECTION_TYPE, source=source, time=TIME, traceparent=None)
    return Message(DETECTIONS.name(kafka.topic_prefix), event.camera_id.encode(), encode_event(event), headers)


def shed_message(kafka: KafkaSettings, source: SourceCoordinates, *, group: str) -> Message:
    note = ShedNote(
        id=uuid.uuid4().hex, key="gate", group=group, reason="too_old", age_ms=9.5, timestamp=TIME, source=source
    )
    headers = event_headers(id=note.id, type=SHED_TYPE, source=f"/groups/{group}", time=TIME, traceparent=None)
    return Message(SHED.name(kafka.topic_prefix), b"gate", encode_event(note), headers)


def dead_letter_message(kafka: KafkaSettings, source: SourceCoordinates, *, group: str) -> Message:
    record = Record(source.topic, source.partition, source.offset, b"gate", b"no picture", (("ce_id", b"1"),))
    topic = DEAD_LETTERS.name(kafka.topic_prefix)
    return dead_letter(record, UndecodableImage("no whole image"), topic=topic, group=group, stage="detect")


def frame_message(kafka: KafkaSettings, value: bytes = b"picture", *, camera: str = "gate") -> Message:
    return Message(FRAMES.name(kafka.topic_prefix), camera.encode(), value, (("content-type", b"image/jpeg"),))


class CommittedWriter:
    """Writes in transactions, as workers do."""

    def __init__(self, kafka: KafkaSettings) -> None:
        config = transactional_config(kafka, transactional_id=uuid.uuid4().hex)
        self._producer: Producer = client(Producer, config, get_logger("test"))
        self._producer.init_transactions(20)

    def write(self, messages: Sequence[Message], *, partition: int | None = None) -> None:
        """All of them, visible when this returns."""
        self.begin(messages, partition=partition)
        self._producer.commit_transaction(20)

    def write_and_give_up(self, messages: Sequence[Message], *, partition: int | None = None) -> None:
        """Into the log, but never visible."""
        self.begin(messages, partition=partition)
        self._producer.abort_transaction(20)

    def begin(self, messages: Sequence[Message], *, partition: int | None = None) -> None:
        """Into the log, with the transaction left open."""
        self._producer.begin_transaction()
        for message in messages:
            self._producer.produce(
                message.topic,
                message.value,
                message.key,
                headers=list(message.headers),
                partition=-1 if partition is None else partition,
            )
        self._producer.flush(20)

    def commit(self) -> None:
        """Ends what `begin` left open."""
        self._producer.commit_transaction(20)
