"""From the text a user gives as SOURCE to its description."""

from __future__ import annotations

import difflib
from pathlib import Path
from urllib.parse import parse_qsl

from vss.errors import ConfigError, SourceUnreadable
from vss.masking import mask_text
from vss.workers.camera.device import DEVICE_OPTIONS, Device
from vss.workers.camera.http_stream import HttpStream
from vss.workers.camera.image_folder import DEFAULT_FPS, IMAGE_SUFFIXES, ImageFolder
from vss.workers.camera.rtsp import RtspCamera
from vss.workers.camera.source import Source
from vss.workers.camera.video_file import VideoFile

# Over HTTP these end, so they are read as files are; anything else is a camera.
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".mpeg"})
_KINDS = "a video file, a folder of images, rtsp://…, http://… (MJPEG) or /dev/videoN"


def recognise(text: str, *, fps: float | None = None, timeout_s: float = 10.0) -> Source:
    """Tells what kind of source it is, without opening it.

    Args:
        text: A path or a URL.
        fps: Pictures a second of a folder.
        timeout_s: Silence after which a live source has dropped.

    Raises:
        SourceUnreadable: Nothing is there, or it is of no kind we read.
        ConfigError: A parameter of a device is unknown.
    """
    scheme, separator, _ = text.partition("://")
    if separator:
        return _from_url(text, scheme.lower(), timeout_s)
    if text.startswith("/dev/"):
        return _device(text, timeout_s)
    path = Path(text).expanduser()
    if path.is_dir() or (path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES):
        return ImageFolder(path, fps if fps is not None else DEFAULT_FPS)
    if not path.is_file():
        raise SourceUnreadable(f"no such file, folder or camera: {mask_text(text)}", fix=f"name {_KINDS}")
    return VideoFile(str(path))


def _from_url(url: str, scheme: str, timeout_s: float) -> Source:
    if scheme in ("rtsp", "rtsps"):
        return RtspCamera(url, timeout_s)
    if scheme in ("http", "https"):
        # Not urlsplit: it refuses passwords with brackets, with the password in its message.
        suffix = Path(url.partition("?")[0]).suffix.lower()
        return VideoFile(url, timeout_s) if suffix in VIDEO_SUFFIXES else HttpStream(url, timeout_s)
    raise SourceUnreadable(f"no camera speaks {scheme}: {mask_text(url)}", fix=f"name {_KINDS}")


def _device(text: str, timeout_s: float) -> Device:
    path, _, parameters = text.partition("?")
    options = dict(parse_qsl(parameters, keep_blank_values=True))
    for name in options:
        if name not in DEVICE_OPTIONS:
            near = difflib.get_close_matches(name, DEVICE_OPTIONS, n=1, cutoff=0.0)[0]
            raise ConfigError(f"unknown parameter {name} of {path}", fix=f"did you mean {near}?")
    return Device(path, timeout_s, options)
