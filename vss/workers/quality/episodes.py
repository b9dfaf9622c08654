"""Problems of one source while they last, and what is said of them: once when they start, once when they end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from vss.schemas.quality import Problem


class Where(NamedTuple):
    """A record's place and time.

    Attributes:
        offset: In its partition.
        ts_ms: Its own time, milliseconds since the epoch.
    """

    offset: int
    ts_ms: int


class Topic(NamedTuple):
    """What a problem is about.

    Attributes:
        feature: Empty where it is about all of the source.
    """

    problem: Problem
    feature: str = ""


@dataclass(slots=True)
class Run:
    """Something that has been so since a record.

    Attributes:
        since: The first record that shows it.
        records: That show it in a row.
        told: Whether its start has been said.
    """

    since: Where
    records: int = 1
    told: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A problem starts or ends.

    Attributes:
        about: What.
        since: The first record that shows it.
        at: The record at which it starts or ends.
        starts: Whether it does.
        detail: The same in words.
    """

    about: Topic
    since: Where
    at: Where
    starts: bool
    detail: str


class Episodes:
    """The runs of one source."""

    def __init__(self) -> None:
        self._runs: dict[Topic, Run] = {}

    def holds(self, about: Topic, at: Where) -> Run:
        """Something is so at a record: begins its run, or lengthens it."""
        run = self._runs.get(about)
        if run is None:
            run = self._runs[about] = Run(at)
        else:
            run.records += 1
        return run

    def begin(self, about: Topic, at: Where, detail: str) -> Iterator[Change]:
        """A problem is there. Gives its start, unless that was said."""
        run = self._runs.setdefault(about, Run(at))
        if not run.told:
            run.told = True
            yield Change(about, run.since, at, True, detail)

    def end(self, about: Topic, at: Where, detail: str) -> Iterator[Change]:
        """Something is no longer so. Gives the end of a problem whose start was said."""
        run = self._runs.pop(about, None)
        if run is not None and run.told:
            yield Change(about, run.since, at, False, detail)

    def get(self, about: Topic) -> Run | None:
        """The run, if it is under way."""
        return self._runs.get(about)

    def told(self) -> list[tuple[Topic, Run]]:
        """The problems whose start was said and whose end was not."""
        return [(about, run) for about, run in self._runs.items() if run.told]

    def restore(self, told: Iterable[tuple[Topic, Where]]) -> None:
        """What was said before the first record that was read again, as the commit says."""
        for about, since in told:
            run = self._runs.setdefault(about, Run(since))
            run.since, run.told = since, True

    def oldest_untold(self) -> int | None:
        """The first offset that a run needs whose start is still to be said."""
        return min((run.since.offset for run in self._runs.values() if not run.told), default=None)
