from __future__ import annotations

from pathlib import Path

import pytest

from tests.camera.clips import jpeg_of
from vss.errors import ConfigError, SourceUnreadable
from vss.workers.camera.device import Device
from vss.workers.camera.http_stream import HttpStream
from vss.workers.camera.image_folder import ImageFolder
from vss.workers.camera.recognise import recognise
from vss.workers.camera.rtsp import RtspCamera
from vss.workers.camera.video_file import VideoFile


@pytest.mark.parametrize(
    ("text", "kind", "live"),
    [
        ("rtsp://10.0.0.5/stream", RtspCamera, True),
        ("RTSPS://10.0.0.5/stream", RtspCamera, True),
        ("http://10.0.0.5/mjpeg?fps=5", HttpStream, True),
        ("https://10.0.0.5/", HttpStream, True),
        ("https://example.org/clip.mp4?sig=abc", VideoFile, False),
        ("http://admin:p[ss@10.0.0.5/stream", HttpStream, True),
        ("/dev/video0", Device, True),
    ],
)
def test_an_address_tells_what_kind_of_source_it_is(text: str, kind: type, live: bool) -> None:
    source = recognise(text)
    assert type(source) is kind
    assert source.live is live


def test_a_path_tells_what_kind_of_source_it_is(tmp_path: Path, clip: Path) -> None:
    picture = tmp_path / "still.JPG"
    picture.write_bytes(jpeg_of(0))
    assert recognise(str(clip)) == VideoFile(str(clip))
    assert recognise(str(tmp_path), fps=2) == ImageFolder(tmp_path, 2)
    assert recognise(str(picture)) == ImageFolder(picture)
    assert not recognise(str(clip)).live


@pytest.mark.parametrize("text", ["no/such/clip.mp4", "webrtc://10.0.0.5/x", "://"])
def test_what_is_no_source_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(SourceUnreadable) as caught:
        recognise(text)
    assert "rtsp://" in caught.value.fix
    assert caught.value.exit_code == 2


def test_a_device_takes_parameters_for_its_driver() -> None:
    source = recognise("/dev/video2?input_format=mjpeg&video_size=1280x720", timeout_s=3)
    assert source == Device("/dev/video2", 3, {"input_format": "mjpeg", "video_size": "1280x720"})
    assert source.name == "/dev/video2"


def test_an_unknown_parameter_of_a_device_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        recognise("/dev/video0?video-size=640x480")
    assert "video_size" in caught.value.fix


@pytest.mark.parametrize("address", ["rtsp://admin:hunter2@10.0.0.5/s", "http://admin:hunter2@10.0.0.5/s"])
def test_no_description_shows_its_password(address: str) -> None:
    source = recognise(address)
    assert "hunter2" not in source.name + repr(source)


def test_rtsp_goes_over_tcp_with_a_timeout_in_microseconds() -> None:
    assert RtspCamera("rtsp://x", 2.5).ffmpeg_options == {"rtsp_transport": "tcp", "timeout": "2500000"}
