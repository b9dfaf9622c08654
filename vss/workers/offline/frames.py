"""Frames to run models over without a worker: of files, or of a stretch of a topic, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from vss.codecs.headers import decode_frame_header
from vss.codecs.images import read_image_info
from vss.config import Limits, Settings
from vss.errors import BadRecord, ConfigError, VssError
from vss.logs import Logger, get_logger
from vss.model_store.comparison.worst import Place
from vss.model_store.runner.picture import Picture
from vss.schemas.envelope import Record, TopicPartition
from vss.schemas.topics import CATALOGUE
from vss.streams.log_range import Moment, share_out, spans_between
from vss.streams.log_reader import LogReader
from vss.workers.offline.inputs import InputFile, InputPicture, count_pictures, read_pictures

# A frame may weigh megabytes.
_RECORDS_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture that is to be looked at."""

    place: Place
    picture: Picture


@dataclass(frozen=True, slots=True)
class BadFrame:
    """One picture that cannot be looked at, and why."""

    place: Place
    error: VssError


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which frames of a topic.

    Attributes:
        topic: Short name in the catalogue (`frames`), or a topic's full name.
        start: The first that counts; None is the oldest there is.
        end: The first that no longer counts; None is the end as it is now.
        limit: So many at most, alike of each partition, the first ones; None is all.
        every: Of each partition take records 0, N, 2N, ….
    """

    topic: str
    start: Moment | None = None
    end: Moment | None = None
    limit: int | None = None
    every: int = 1


class FileFrames:
    """Pictures of files and videos.

    Args:
        files: Of `find_inputs`.
        every: Of a video take frames 0, N, 2N, ….
        limit: So many at most.
        limits: What a picture may weigh.
    """

    def __init__(self, files: Sequence[InputFile], *, every: int, limit: int | None, limits: Limits) -> None:
        self._files = files
        self._every = every
        self._limit = limit
        self._limits = limits

    def __iter__(self) -> Iterator[Frame | BadFrame]:
        for one in islice(read_pictures(self._files, every=self._every, limits=self._limits), self._limit):
            place = Place(str(one.file.path), None if one.file.is_image else one.frame)
            yield Frame(place, one.picture) if isinstance(one, InputPicture) else BadFrame(place, one.error)

    def count(self) -> int | None:
        """How many there are, as the files say; None when they do not."""
        counts = [count_pictures(file, self._every) for file in self._files]
        if None in counts:
            return self._limit
        total = sum(count or 0 for count in counts)
        return total if self._limit is None else min(total, self._limit)


class TopicFrames:
    """Frames of a topic, as a `read_committed` consumer sees them. Joins no group and commits nothing.

    Args:
        settings: The cluster, its prefix, and what a frame may weigh.
        stretch: Which.
        logger: For what the client says.

    Raises:
        BrokerUnavailable: No broker answers.
        ConfigError: The topic does not exist, or nothing lies in the range.
    """

    def __init__(self, settings: Settings, stretch: Stretch, *, logger: Logger | None = None) -> None:
        self._settings = settings
        self._every = stretch.every
        self._logger = logger if logger is not None else get_logger("frames")
        self.topic = _full_name(stretch.topic, settings.kafka.topic_prefix)
        with self._reader() as reader:
            self._spans = spans_between(reader, self.topic, stretch.start, stretch.end)
            if not self._spans:
                raise _nothing_in(self.topic, held=sum(s.end - s.low for s in reader.spans([self.topic]).values()))
        sizes = {p: -(-(span.end - span.low) // stretch.every) for p, span in self._spans.items()}
        self._quotas = sizes if stretch.limit is None else share_out(stretch.limit, sizes)

    def __iter__(self) -> Iterator[Frame | BadFrame]:
        seen = dict.fromkeys(self._quotas, 0)
        wanted = {p: quota for p, quota in self._quotas.items() if quota}
        starts = {p: self._spans[p].low for p in wanted}
        with self._reader() as reader:
            for records in reader.read(starts, {p: self._spans[p].end for p in wanted}, max_records=_RECORDS_AT_ONCE):
                for record in records:
                    partition = record.topic_partition
                    taken = seen[partition] % self._every == 0 and partition in wanted
                    seen[partition] += 1
                    if taken:
                        yield self._frame(record)
                        self._count_down(wanted, partition)
                if not wanted:
                    return

    def count(self) -> int:
        """How many there are at most: an offset may hold the marker of a transaction instead of a frame."""
        return sum(self._quotas.values())

    def _count_down(self, wanted: dict[TopicPartition, int], partition: TopicPartition) -> None:
        wanted[partition] -= 1
        if not wanted[partition]:
            del wanted[partition]

    def _frame(self, record: Record) -> Frame | BadFrame:
        key = (record.key or b"").decode("utf-8", "replace")
        place = Place(f"{record.topic}[{record.partition}] {key}".rstrip(), record.offset)
        try:
            info = read_image_info(record.value, decode_frame_header(record), self._settings.limits)
        except BadRecord as error:
            return BadFrame(place, error)
        return Frame(place, Picture.encoded(record.value or b"", info))

    def _reader(self) -> LogReader:
        return LogReader(self._settings.kafka, logger=self._logger)


def _full_name(topic: str, prefix: str) -> str:
    return next((entry.name(prefix) for entry in CATALOGUE if entry.short == topic), topic)


def _nothing_in(topic: str, *, held: int) -> ConfigError:
    if not held:
        return ConfigError(f"{topic} holds no record", fix="publish frames first: vss camera NAME SOURCE")
    return ConfigError(
        f"no frame of {topic} lies in that range; the topic holds about {held} records",
        fix="widen --from and --to; times are those of the records, and --to is not included",
    )
