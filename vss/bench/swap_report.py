"""What was seen of swaps under load, put together."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from vss.clock import Deadline, SystemClock
from vss.config import KafkaSettings
from vss.schemas.topics import DETECTIONS
from vss.streams.log_reader import LogReader

_PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Committed:
    """One transaction.

    Attributes:
        at_s: When it was durable, on the machine's monotonic clock.
        versions: How many of its events are of each version.
    """

    at_s: float
    versions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Swapped:
    """When one swap was.

    Attributes:
        version: That took over.
        started_s: When it was activated, on the machine's monotonic clock.
        serves_s: When the worker had said that it serves.
    """

    version: str
    started_s: float
    serves_s: float

    def touches(self, before: Committed, later: Committed) -> bool:
        """Whether it was under way between two commits."""
        return later.at_s > self.started_s and before.at_s < self.serves_s


@dataclass(frozen=True, slots=True)
class Swap:
    """One swap under load.

    Attributes:
        version: That took over.
        beside_s: From the activation to the worker's word that it serves: reading, loading, warming and trying it.
        longest_gap_s: The longest time without a commit from the activation to the first commit behind the swap.
    """

    version: str
    beside_s: float
    longest_gap_s: float


@dataclass(frozen=True, slots=True)
class SwapBench:
    """What was measured.

    Attributes:
        model: Name of the model's file.
        frames: In the backlog.
        events: A `read_committed` reader finds.
        lost: Frames without an event.
        doubled: Frames with more than one.
        went_back: Partitions in which an event of an older activation follows one of a newer.
        versions: Events by version.
        swaps: In order.
        batch: Frames a transaction, the median.
        batch_s: The time of a batch: the median time between two commits while nothing is swapped.
        usual_longest_gap_s: The longest time between two commits while nothing is swapped.
        frames_a_second: Of the whole run.
    """

    model: str
    frames: int
    events: int
    lost: int
    doubled: int
    went_back: int
    versions: Mapping[str, int]
    swaps: tuple[Swap, ...]
    batch: float
    batch_s: float
    usual_longest_gap_s: float
    frames_a_second: float

    @property
    def pause_s(self) -> float:
        """What the median swap adds to the time between two commits."""
        return max(0.0, statistics.median(swap.longest_gap_s for swap in self.swaps) - self.batch_s)

    @property
    def worst_pause_s(self) -> float:
        """What the worst swap adds."""
        return max(0.0, max(swap.longest_gap_s for swap in self.swaps) - self.batch_s)

    @property
    def holds(self) -> bool:
        """Whether nothing was lost or doubled and output pauses for at most the time of a batch."""
        return self.lost == self.doubled == self.went_back == 0 and self.pause_s <= self.batch_s


def swap_report(
    kafka: KafkaSettings, commits: Sequence[Committed], done: Sequence[Swapped], *, frames: int, model: str
) -> SwapBench:
    """Puts together what was seen while the worker ran and what is in its topic now.

    Args:
        kafka: The cluster.
        commits: Every transaction, in order.
        done: Every swap, in order.
        frames: In the backlog.
        model: Name of the model's file.
    """
    usual = [
        later.at_s - before.at_s
        for before, later in itertools.pairwise(commits)
        if not any(swap.touches(before, later) for swap in done)
    ]
    sources, versions, went_back = _read_back(kafka, [swap.version for swap in done])
    seconds = commits[-1].at_s - commits[0].at_s
    return SwapBench(
        model=model,
        frames=frames,
        events=sum(sources.values()),
        lost=frames - len(sources),
        doubled=sum(count > 1 for count in sources.values()),
        went_back=went_back,
        versions=versions,
        swaps=tuple(Swap(s.version, s.serves_s - s.started_s, _longest_gap(commits, s)) for s in done),
        batch=statistics.median(sum(commit.versions.values()) for commit in commits),
        batch_s=statistics.median(usual),
        usual_longest_gap_s=max(usual),
        frames_a_second=sum(sum(c.versions.values()) for c in commits[1:]) / seconds,
    )


def _longest_gap(commits: Sequence[Committed], swap: Swapped) -> float:
    return max(b.at_s - a.at_s for a, b in itertools.pairwise(commits) if swap.touches(a, b))


def _read_back(kafka: KafkaSettings, activated: Sequence[str]) -> tuple[Counter[Any], Counter[str], int]:
    """Events by frame and by version, and in how many partitions an older version comes behind a newer one."""
    topic = DETECTIONS.name(kafka.topic_prefix)
    sources: Counter[Any] = Counter()
    versions: Counter[str] = Counter()
    order: dict[int, list[tuple[int, str]]] = {}
    with LogReader(kafka) as reader:
        spans = reader.decided_spans([topic], Deadline.after(_PATIENCE_S, SystemClock()))
        for records in reader.read({p: s.low for p, s in spans.items()}, {p: s.end for p, s in spans.items()}):
            for record in records:
                event = orjson.loads(record.value or b"{}")
                source = event["source"]
                sources[source["partition"], source["offset"]] += 1
                versions[event["model_version"]] += 1
                order.setdefault(source["partition"], []).append((source["offset"], event["model_version"]))
    # Without an activation the highest version serves.
    expected = ["2", *activated]
    return sources, versions, sum(not _follows(served, expected) for served in order.values())


def _follows(served: list[tuple[int, str]], expected: Sequence[str]) -> bool:
    """Whether a partition's versions, in the order of its frames, are the activated ones in their order."""
    runs: list[str] = []
    for _, version in sorted(served):
        if not runs or runs[-1] != version:
            runs.append(version)
    places = iter(expected)
    return all(version in places for version in runs)
