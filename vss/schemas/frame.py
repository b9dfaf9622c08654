"""A frame: the encoded image is the record's value, what is known about it travels in the headers."""

from __future__ import annotations

from dataclasses import dataclass

FRAME_TYPE = "vss.frame.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHeader:
    """What the headers of a frame say. Only the key is required; a plain image with a key is served.

    Attributes:
        camera_id: The record's key.
        id: `ce_id`, unique with `source`.
        source: `ce_source`, `/cameras/{camera_id}`.
        content_type: `datacontenttype` (or `content-type`), such as `image/jpeg`; None leaves it to the bytes.
        captured_ns: `ce_time`, nanoseconds since the epoch; the record's timestamp where the header is absent.
        epoch: `vss_epoch`, the start of this camera run in milliseconds since the epoch.
        seq: `vss_seq`, counts captured frames from 0; a gap is a frame the camera had to drop before Kafka.
        pts_ns: `vss_pts_ns`, presentation time in the source, nanoseconds.
        width: `vss_width`, pixels.
        height: `vss_height`, pixels.
        model: `vss_model`, routes the frame to one model.
        traceparent: W3C trace context, handed on to the event.
    """

    camera_id: str
    id: str | None = None
    source: str | None = None
    content_type: str | None = None
    captured_ns: int | None = None
    epoch: int | None = None
    seq: int | None = None
    pts_ns: int | None = None
    width: int | None = None
    height: int | None = None
    model: str | None = None
    traceparent: str | None = None
