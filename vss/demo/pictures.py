"""What the demo leaves to look at: an annotated picture, and a clip of all cameras side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from vss.clock import Clock
from vss.codecs.events import decode_event
from vss.codecs.headers import decode_frame_header
from vss.codecs.images import Image, decode_image, encode_image, read_image_info
from vss.config import Settings
from vss.errors import BadRecord, ConfigError
from vss.logs import Logger
from vss.model_store.drawing.boxes import draw_objects
from vss.schemas.envelope import Record
from vss.schemas.events import DetectedObject, DetectionEvent, SourceCoordinates
from vss.schemas.topics import DETECTIONS, FRAMES
from vss.streams.log_reader import LogReader
from vss.workers.offline.clip import ClipWriter

_MOST_FRAMES = 200
"""Read from the end of each partition."""
_CLIP_WIDTH = 640
"""Of each camera in the clip, at most."""
_CAPTION_HEIGHT = 26
_SMALL = 900
"""A narrower picture is drawn at twice its size, so that labels hide less of it."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A frame and what was found in it."""

    frame: Record
    event: DetectionEvent
    captured_ns: int


@dataclass(frozen=True, slots=True)
class Written:
    """What was written; None where there was nothing to write."""

    picture: Path | None
    clip: Path | None


def write_pictures(settings: Settings, folder: Path, *, clock: Clock, logger: Logger) -> Written:
    """Joins the newest frames with their events, as any consumer can, and draws them.

    Args:
        settings: The cluster.
        folder: Gets `picture.png` and `clip.mp4`.
        clock: For deadlines.
        logger: For what the client says.

    Raises:
        BrokerUnavailable: No broker answers.
        ConfigError: A file cannot be written.
    """
    with LogReader(settings.kafka, logger=logger, clock=clock) as reader:
        pairs = _join(reader, settings)
    by_camera: dict[str, list[_Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: pair.captured_ns):
        by_camera.setdefault(pair.event.camera_id, []).append(pair)
    if not by_camera:
        return Written(None, None)
    picture, clip = folder / "picture.png", folder / "clip.mp4"
    best = max((pair for pairs in by_camera.values() for pair in pairs), key=_worth)
    try:
        picture.write_bytes(encode_image(_large(best, settings), "png"))
    except OSError as error:
        raise ConfigError(f"{picture} cannot be written: {error.strerror}", fix="make room on the disk") from error
    _write_clip(clip, [by_camera[name] for name in sorted(by_camera)], settings)
    return Written(picture, clip)


def _join(reader: LogReader, settings: Settings) -> list[_Pair]:
    prefix = settings.kafka.topic_prefix
    events: dict[SourceCoordinates, DetectionEvent] = {}
    # Every event of a frame in the window: a worker's events lie in the order of its frames, but for a redelivery.
    for record in _newest(reader, DETECTIONS.name(prefix), 3 * _MOST_FRAMES):
        try:
            event = decode_event(DetectionEvent, record.value)
        except BadRecord:
            continue
        events[event.source] = event
    pairs = []
    for record in _newest(reader, FRAMES.name(prefix), _MOST_FRAMES):
        found = events.get(SourceCoordinates(record.topic, record.partition, record.offset))
        if found is not None:
            captured_ns = decode_frame_header(record).captured_ns
            pairs.append(_Pair(record, found, captured_ns or record.timestamp_ms * 1_000_000))
    return pairs


def _newest(reader: LogReader, topic: str, most: int) -> list[Record]:
    """The last records of each partition."""
    spans = reader.spans([topic])
    starts = {partition: max(span.low, span.end - most) for partition, span in spans.items()}
    ends = {partition: span.end for partition, span in spans.items()}
    return [record for records in reader.read(starts, ends) for record in records]


def _decode(pair: _Pair, settings: Settings) -> Image:
    header = decode_frame_header(pair.frame)
    info = read_image_info(pair.frame.value, header, settings.limits)
    return decode_image(pair.frame.value or b"", info)


def _worth(pair: _Pair) -> tuple[int, float]:
    """How much there is to see."""
    return pair.event.total_objects, sum(one.confidence for one in pair.event.objects)


def _large(pair: _Pair, settings: Settings) -> Image:
    image, objects = _decode(pair, settings), pair.event.objects
    if image.shape[1] >= _SMALL:
        return draw_objects(image, objects)
    doubled = np.asarray(cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)
    return draw_objects(doubled, [_doubled(one) for one in objects])


def _doubled(one: DetectedObject) -> DetectedObject:
    x1, y1, x2, y2 = one.bbox
    return replace(one, bbox=(2 * x1, 2 * y1, 2 * x2, 2 * y2), center=(2 * one.center[0], 2 * one.center[1]))


def _write_clip(path: Path, cameras: Sequence[Sequence[_Pair]], settings: Settings) -> None:
    """Every camera's frames at the times they were captured, side by side."""
    tiles: list[Image | None] = [None] * len(cameras)
    first_ns = max(pairs[0].captured_ns for pairs in cameras)
    turns = sorted(
        ((pair.captured_ns, place, pair) for place, pairs in enumerate(cameras) for pair in pairs),
        key=lambda turn: turn[:2],
    )
    # A picture a frame of the first camera: the others show what they had then.
    with ClipWriter(path) as clip:
        for captured_ns, place, pair in turns:
            tiles[place] = _tile(pair, settings)
            shown = [tile for tile in tiles if tile is not None]
            if captured_ns >= first_ns and len(shown) == len(tiles) and place == 0:
                clip.write(_beside(shown), captured_ns)


def _tile(pair: _Pair, settings: Settings) -> Image:
    """One camera's picture with what was found, and a line below it that says what it is."""
    drawn = draw_objects(_decode(pair, settings), pair.event.objects)
    height, width = drawn.shape[:2]
    if width > _CLIP_WIDTH:
        height, width = round(height * _CLIP_WIDTH / width), _CLIP_WIDTH
        drawn = np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    tile = np.full((height + _CAPTION_HEIGHT, width, 3), 24, np.uint8)
    tile[:height] = drawn
    event = pair.event
    caption = f"{event.camera_id}  frame {event.seq}  {event.total_objects} objects  {event.model_name}"
    place = (8, height + _CAPTION_HEIGHT - 8)
    cv2.putText(tile, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (220, 220, 220), 1, cv2.LINE_AA)
    return tile


def _beside(tiles: Sequence[Image]) -> Image:
    height = max(tile.shape[0] for tile in tiles)
    filled = [np.pad(tile, ((0, height - tile.shape[0]), (0, 0), (0, 0))) for tile in tiles]
    return np.asarray(np.hstack(filled), np.uint8)
