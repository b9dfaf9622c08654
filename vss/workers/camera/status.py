"""What a camera says about itself: a metric, a line when something changes, and the reasons it is not ready."""

from __future__ import annotations

import enum

from vss.clock import Clock
from vss.logs import Logger
from vss.metrics import Metrics


class State(enum.StrEnum):
    """Where a camera is."""

    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    FINISHED = "finished"
    FAILED = "failed"


class CameraStatus:
    """One camera's state. Each change is one log line, however often the same is reported.

    Args:
        camera_id: Label of the metrics.
        metrics: `vss_camera_up` and `vss_camera_reconnects_total`.
        clock: For how long the source was away.
        logger: For the lines.
    """

    def __init__(self, camera_id: str, metrics: Metrics, clock: Clock, logger: Logger) -> None:
        self._up = metrics.camera_up.labels(camera_id)
        self._reconnects = metrics.camera_reconnects.labels(camera_id)
        self._clock = clock
        self._logger = logger
        self._since_s = clock.monotonic()
        self.state = State.STARTING
        self.why = "no picture yet"

    def up(self) -> None:
        """A picture came."""
        if self.state is State.UP:
            return
        if self.state is State.DOWN:
            self._logger.info("source is back", away_s=round(self._clock.monotonic() - self._since_s, 1))
        self._enter(State.UP, "")

    def down(self, why: str) -> None:
        """A live source is away and is tried again."""
        if self.state is State.UP:
            self._reconnects.inc()
        if self.state is not State.DOWN:
            message = "source dropped" if self.state is State.UP else "source is not there"
            self._logger.warning(f"{message}; trying again", reason=why)
            self._enter(State.DOWN, why)
        self.why = why

    def finish(self) -> None:
        """The source ended well or the camera was stopped. A camera that failed stays so."""
        if self.state is not State.FAILED:
            self._enter(State.FINISHED, "")

    def fail(self, why: str, fix: str = "") -> None:
        """The camera will not go on by itself."""
        self._logger.error("camera failed", reason=why, **({"fix": fix} if fix else {}))
        self._enter(State.FAILED, why)

    def _enter(self, state: State, why: str) -> None:
        self.state = state
        self.why = why
        self._since_s = self._clock.monotonic()
        self._up.set(1 if state is State.UP else 0)
