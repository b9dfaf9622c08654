from __future__ import annotations

import re
from pathlib import Path

from tests.camera.clips import jpeg_of
from tests.camera.cluster import CameraCluster
from vss.codecs.headers import decode_frame_header
from vss.codecs.images import read_image_info
from vss.config import Limits
from vss.schemas.topics import FRAMES
from vss.streams.topic_admin import create_topics

DOCUMENT = Path(__file__).parents[2] / "docs" / "cameras.md"


def test_the_documented_producers_make_frames_that_workers_read(bootstrap_servers: str, tmp_path: Path) -> None:
    cluster = CameraCluster(bootstrap_servers)
    create_topics(cluster.kafka, topics=(FRAMES,))
    picture = tmp_path / "gate.jpg"
    picture.write_bytes(jpeg_of(5))
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE))
    for written, here in {
        "127.0.0.1:9092": bootstrap_servers,
        "vss.frames": FRAMES.name(cluster.kafka.topic_prefix),
        '"gate.jpg"': repr(str(picture)),
    }.items():
        assert written in code
        code = code.replace(written, here)
    exec(code, {})  # noqa: S102 - the project's own documentation
    plain, with_headers = cluster.records()
    for record in (plain, with_headers):
        header = decode_frame_header(record)
        assert header.camera_id == "gate"
        assert header.captured_ns is not None
        assert read_image_info(record.value, header, Limits()).format == "jpeg"
    assert decode_frame_header(with_headers).content_type == "image/jpeg"
