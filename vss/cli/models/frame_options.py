"""Options that say which frames two versions are compared on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from vss.config import Settings
from vss.errors import ConfigError

if TYPE_CHECKING:
    from vss.workers.offline.frames import BadFrame, FileFrames, Frame, TopicFrames

F = TypeVar("F", bound=Callable[..., Any])

_TIME = "TIME is 2026-03-01T12:00:00Z, -10m (s, m, h, d ago), epoch milliseconds or offset:1200."
_OPTIONS = (
    click.option("--topic", metavar="TOPIC", help="Compare on frames of this topic, such as frames."),
    click.option("--from", "start", metavar="TIME", help=f"The topic's first frame that counts; {_TIME}"),
    click.option("--to", "end", metavar="TIME", help="The topic's first frame that no longer counts.  [default: now]"),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="Compare on at most N frames, the first ones."),
    click.option(
        "--every", type=click.IntRange(1), default=1, metavar="N", help="Take every Nth frame of a partition or video."
    ),
)


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """Which frames the user asked for."""

    topic: str | None
    start: str | None
    end: str | None
    limit: int | None
    every: int

    def check(self, inputs: tuple[str, ...]) -> None:
        """Whether anything was asked for.

        Raises:
            ConfigError: Both a topic and files, or neither.
        """
        if (self.topic is None) == (not inputs):
            which = "both a topic and files were named" if inputs else "no frames to compare on were named"
            raise ConfigError(which, fix="give --topic frames --from -10m, or files")

    def open(self, settings: Settings, inputs: tuple[str, ...]) -> FileFrames | TopicFrames:
        """The frames.

        Args:
            settings: The cluster, and what a frame may weigh.
            inputs: Files and folders, instead of a topic.

        Raises:
            ConfigError: Both, or neither, were asked for, or there are none.
            SourceUnreadable: A file or folder does not exist.
        """
        from vss.clock import SystemClock
        from vss.streams.log_range import parse_moment
        from vss.workers.offline.frames import FileFrames, Stretch, TopicFrames
        from vss.workers.offline.inputs import find_inputs

        self.check(inputs)
        if self.topic is None:
            if self.start is not None or self.end is not None:
                raise ConfigError("--from and --to are of a topic", fix="leave them out, or give --topic")
            return FileFrames(find_inputs(inputs), every=self.every, limit=self.limit, limits=settings.limits)
        now_ns = SystemClock().now_ns()
        start, end = (parse_moment(one, now_ns=now_ns) if one is not None else None for one in (self.start, self.end))
        return TopicFrames(settings, Stretch(self.topic, start, end, self.limit, self.every))


def frame_options(command: F) -> F:
    """Adds `--topic`, `--from`, `--to`, `--limit` and `--every`, which reach the command as one `choice` argument."""

    @functools.wraps(command)
    def wrapped(
        topic: str | None, start: str | None, end: str | None, limit: int | None, every: int, **rest: Any
    ) -> Any:
        return command(choice=FrameChoice(topic, start, end, limit, every), **rest)

    decorated = cast("F", wrapped)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def counted(frames: FileFrames | TopicFrames, advance: Callable[[int], None]) -> Iterator[Frame | BadFrame]:
    """The frames, for a progress bar."""
    for frame in frames:
        yield frame
        advance(1)
