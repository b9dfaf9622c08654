"""What a camera or sensor says about itself: metrics, a line when something changes, and why it is not ready."""

from __future__ import annotations

import enum

from prometheus_client import Counter, Gauge

from vss.clock import Clock
from vss.logs import Logger


class State(enum.StrEnum):
    """Where a camera or sensor is."""

    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    FINISHED = "finished"
    FAILED = "failed"


class SourceStatus:
    """The state of one camera or sensor. Each change is one log line, however often the same is reported.

    Args:
        role: What the log calls it: `camera`, `sensor`.
        up: 1 while its source delivers.
        reconnects: Counts the times it dropped.
        item: What it delivers: `picture`, `reading`.
        clock: For how long the source was away.
        logger: For the lines.
    """

    def __init__(self, role: str, up: Gauge, reconnects: Counter, *, item: str, clock: Clock, logger: Logger) -> None:
        self._role = role
        self._up = up
        self._reconnects = reconnects
        self._clock = clock
        self._logger = logger
        self._since_s = clock.monotonic()
        self.state = State.STARTING
        self.why = f"no {item} yet"

    def up(self) -> None:
        """The source delivers."""
        if self.state is State.UP or self._over:
            return
        if self.state is State.DOWN:
            self._logger.info("source is back", away_s=round(self._clock.monotonic() - self._since_s, 1))
        self._enter(State.UP, "")

    def down(self, why: str) -> None:
        """A live source is away and is tried again."""
        if self._over:
            return
        if self.state is State.UP:
            self._reconnects.inc()
        if self.state is not State.DOWN:
            message = "source dropped" if self.state is State.UP else "source is not there"
            self._logger.warning(f"{message}; trying again", reason=why)
            self._enter(State.DOWN, why)
        self.why = why

    def finish(self) -> None:
        """The source ended well or was stopped. What failed stays so."""
        if self.state is not State.FAILED:
            self._enter(State.FINISHED, "")

    def fail(self, why: str, fix: str = "") -> None:
        """It will not go on by itself."""
        self._logger.error(f"{self._role} failed", reason=why, **({"fix": fix} if fix else {}))
        self._enter(State.FAILED, why)

    @property
    def _over(self) -> bool:
        """What a source still gives after the end changes nothing: its reader may look up a moment later."""
        return self.state in (State.FINISHED, State.FAILED)

    def _enter(self, state: State, why: str) -> None:
        self.state = state
        self.why = why
        self._since_s = self._clock.monotonic()
        self._up.set(1 if state is State.UP else 0)
