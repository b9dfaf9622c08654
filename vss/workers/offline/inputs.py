"""What `vss infer` is given: images, folders and videos, turned into one flow of pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError

from vss.codecs.images import read_image_info
from vss.config import Limits
from vss.errors import SourceUnreadable, UndecodableImage, VssError
from vss.model_store.runner.picture import Picture
from vss.schemas.frame import FrameHeader
from vss.workers.camera.image_folder import IMAGE_SUFFIXES, natural_order
from vss.workers.camera.jpeg_header import read_jpeg_header
from vss.workers.camera.picture import EncodedPicture
from vss.workers.camera.recognise import VIDEO_SUFFIXES
from vss.workers.camera.video_file import VideoFile

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class InputFile:
    """One image or video.

    Attributes:
        path: As it was named, or found in a folder that was.
        below: Path relative to what was named: where its annotated copy goes.
    """

    path: Path
    below: Path

    @property
    def is_image(self) -> bool:
        """By its name; anything else is tried as a video."""
        return self.path.suffix.lower() in IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class InputPicture:
    """One picture that is to be looked at.

    Attributes:
        frame: Counts the frames of a video from 0; 0 for an image.
        picture: Its size, and how to get at its pixels.
        pts_ns: When it is shown, nanoseconds since the start of the video; 0 for an image.
    """

    file: InputFile
    frame: int
    picture: Picture
    pts_ns: int = 0


@dataclass(frozen=True, slots=True)
class BadInput:
    """One picture, or the rest of a video, that cannot be looked at."""

    file: InputFile
    frame: int
    error: VssError


def find_inputs(inputs: Sequence[str], *, leave_out: Path | None = None) -> list[InputFile]:
    """Lists files; of folders all images and videos in them and below, in the order of their names.

    Args:
        inputs: Paths of files and folders.
        leave_out: A folder whose files are never inputs: the one that results are written to.

    Raises:
        SourceUnreadable: A path does not exist, or a folder holds nothing we read.
    """
    files: list[InputFile] = []
    for text in inputs:
        path = Path(text).expanduser()
        if path.is_dir():
            files += _in_folder(path, leave_out)
        elif path.exists():
            files.append(InputFile(path, Path(path.name)))
        else:
            fix = "`vss camera` reads live sources" if "://" in text else "name images, videos or folders of them"
            raise SourceUnreadable(f"no such file or folder: {text}", fix=fix)
    return files


def read_pictures(files: Iterable[InputFile], *, every: int, limits: Limits) -> Iterator[InputPicture | BadInput]:
    """Pictures in order, read as the iterator goes on.

    Args:
        files: Of `find_inputs`.
        every: Of a video take frames 0, N, 2N, ….
        limits: An image that announces more pixels is refused before it is decoded.
    """
    for file in files:
        if file.is_image:
            yield _image_picture(file, limits)
        else:
            yield from _video_pictures(file, every)


def count_pictures(file: InputFile, every: int) -> int | None:
    """How many pictures a file has, as its header says; None when it does not."""
    if file.is_image:
        return 1
    try:
        with av.open(str(file.path)) as container:
            frames = container.streams.video[0].frames
    except (FFmpegError, IndexError, ValueError):
        return None
    return -(-frames // every) if frames else None


def _in_folder(folder: Path, leave_out: Path | None) -> list[InputFile]:
    left_out = leave_out.resolve() if leave_out is not None else None
    found = [
        path
        for path in sorted(folder.rglob("*"), key=lambda path: [natural_order(Path(part)) for part in path.parts])
        if path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES
        and path.is_file()
        and (left_out is None or not path.resolve().is_relative_to(left_out))
    ]
    if not found:
        raise SourceUnreadable(
            f"no images or videos in {folder}", fix=f"name a folder that holds {', '.join(sorted(IMAGE_SUFFIXES))} …"
        )
    return [InputFile(path, path.relative_to(folder)) for path in found]


def _image_picture(file: InputFile, limits: Limits) -> InputPicture | BadInput:
    try:
        return InputPicture(file, 0, _open_image(file.path, limits))
    except VssError as error:
        return BadInput(file, 0, error)


def _open_image(path: Path, limits: Limits) -> Picture:
    try:
        value = path.read_bytes()
    except OSError as error:
        raise SourceUnreadable(f"cannot be read: {error.strerror}", fix="check the file's permissions") from error
    if value.startswith(_JPEG):
        value = _without_trailer(value)
    if value.startswith((_JPEG, _PNG)):
        # A file on the user's own disk may have any number of bytes; a bomb is one by its pixels.
        own_limits = limits.model_copy(update={"max_record_bytes": len(value)})
        info = read_image_info(value, FrameHeader(camera_id=""), own_limits)
        jpeg = read_jpeg_header(value)
        if info.format == "png" or (jpeg is not None and jpeg.self_contained):
            return Picture.encoded(value, info)
    # What the workers' decoder does not know: an orientation in EXIF, other formats.
    return Picture.decoded(EncodedPicture(value).pixels(None))


def _without_trailer(jpeg: bytes) -> bytes:
    """Phones append a second picture, a depth map or their own notes; what follows the last end marker is no JPEG.

    A picture that is cut has no end marker (or only its thumbnail's, before the first scan), and stays as it is.
    """
    end = jpeg.rfind(_JPEG_END)
    return jpeg[: end + len(_JPEG_END)] if end >= 0 and read_jpeg_header(jpeg[: end + len(_JPEG_END)]) else jpeg


def _video_pictures(file: InputFile, every: int) -> Iterator[InputPicture | BadInput]:
    frame = 0
    try:
        stream = VideoFile(str(file.path)).open()
        try:
            while (shot := stream.read()) is not None:
                if frame % every == 0:
                    if shot.picture is None:
                        yield BadInput(file, frame, UndecodableImage("the video is damaged here"))
                    else:
                        picture = Picture.decoded(shot.picture.pixels(None))
                        yield InputPicture(file, frame, picture, shot.pts_ns or 0)
                frame += 1
        finally:
            stream.close()
    except VssError as error:
        yield BadInput(file, frame, error)
        return
    if frame == 0:
        yield BadInput(file, 0, SourceUnreadable("there is no picture in it", fix="name a whole video file"))
