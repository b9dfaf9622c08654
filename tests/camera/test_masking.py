from __future__ import annotations

import pytest

from vss.workers.camera.masking import mask_secrets


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("rtsp://admin:hunter2@10.0.0.5:554/stream", "rtsp://***@10.0.0.5:554/stream"),
        ("rtsp://admin:p@ss@10.0.0.5/stream", "rtsp://***@10.0.0.5/stream"),
        ("rtsp://admin:a/b?c@10.0.0.5/stream", "rtsp://***@10.0.0.5/stream"),
        ("HTTP://admin:hunter2@cam/video", "HTTP://***@cam/video"),
        ("http://cam/video?user=a&pwd=hunter2&fps=5", "http://cam/video?user=a&pwd=***&fps=5"),
        ("http://cam/video?Access_Token=hunter2", "http://cam/video?Access_Token=***"),
        ("rtsp://10.0.0.5/stream", "rtsp://10.0.0.5/stream"),
        ("videos/me@home.mp4", "videos/me@home.mp4"),
    ],
)
def test_what_could_be_a_secret_is_hidden_and_the_rest_stays_readable(address: str, masked: str) -> None:
    assert mask_secrets(address) == masked
