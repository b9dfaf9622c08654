"""One camera: a source opened, paced, buffered, encoded and published, on two threads."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

from vss.clock import Clock, Deadline
from vss.errors import ConfigError, VssError
from vss.logs import Logger
from vss.metrics import Metrics
from vss.streams.ports import Publisher
from vss.workers.camera.backoff import Backoff
from vss.workers.camera.capture import Capture
from vss.workers.camera.config import CameraConfig
from vss.workers.camera.counts import FrameCounts, FrameTally
from vss.workers.camera.encoder import Encoder
from vss.workers.camera.frame_buffer import FrameBuffer
from vss.workers.camera.publishing import Publishing
from vss.workers.camera.source import Source
from vss.workers.camera.status import CameraStatus, State


@dataclass(frozen=True, slots=True)
class CameraReport:
    """How a camera ended.

    Attributes:
        error: Why it failed; None when it did not.
    """

    id: str
    state: State
    frames: FrameTally
    error: Exception | None = None

    @property
    def exit_code(self) -> int:
        """0 well, 1 failed, 2 the user can fix it."""
        return 0 if self.error is None else getattr(self.error, "exit_code", 1)


class Camera:
    """One camera of a process.

    Args:
        config: What it is told.
        source: What `config.source` was recognised as.
        publisher: Kafka; may be shared with other cameras.
        topic: Name of the frames' topic.
        metrics: Where everything is counted.
        clock: Time.
        random: Jitter and trace ids.
        logger: Its lines carry the camera's id.

    Raises:
        ConfigError: An option that a live source has no use for.
    """

    def __init__(
        self,
        config: CameraConfig,
        source: Source,
        publisher: Publisher,
        *,
        topic: str,
        metrics: Metrics,
        clock: Clock,
        random: random.Random,
        logger: Logger,
    ) -> None:
        if source.live and (config.loop or config.as_fast_as_possible):
            option = "loop" if config.loop else "as-fast-as-possible"
            raise ConfigError(
                f"camera {config.id}: a live source has no use for --{option}",
                fix=f"leave {option} out, or name a file",
            )
        self.id = config.id
        self._source = source
        self._logger = logger.bind(camera=config.id)
        self._clock = clock
        self._stop = threading.Event()
        self._buffer = FrameBuffer(config.buffer, shed_oldest=source.live)
        self._metric_buffer = metrics.camera_buffer.labels(config.id)
        self._metric_buffer.set_function(lambda: len(self._buffer))
        self._counts = FrameCounts(config.id, metrics)
        self._status = CameraStatus(config.id, metrics, clock, self._logger)
        self._capture = Capture(
            source,
            self._buffer,
            fps=config.fps,
            loop=config.loop,
            paced=not config.as_fast_as_possible,
            backoff=Backoff(random),
            counts=self._counts,
            status=self._status,
            clock=clock,
            stop=self._stop,
        )
        self._publishing = Publishing(
            config.id,
            clock.now_ns() // 1_000_000,
            self._buffer,
            Encoder(codec=config.codec, width=config.width, quality=config.quality),
            publisher,
            topic=topic,
            sheds=source.live,
            random=random,
            counts=self._counts,
            stop=self._stop,
            logger=self._logger,
        )
        self._error: Exception | None = None
        # Daemons: FFmpeg may sit in a call that nothing but its timeout ends.
        self._threads = [
            threading.Thread(target=self._run_capture, name=f"capture {config.id}", daemon=True),
            threading.Thread(target=self._run_publishing, name=f"publish {config.id}", daemon=True),
        ]

    @property
    def ended(self) -> bool:
        """Whether it publishes nothing any more."""
        return not self._threads[1].is_alive()

    def start(self) -> None:
        """Begins to capture."""
        self._logger.info("camera starts", source=self._source.name, live=self._source.live)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Captures nothing any more; what is in the buffer is still published. Does not wait."""
        self._stop.set()
        self._buffer.close()

    def join(self, deadline: Deadline) -> None:
        """Waits for the end of both threads, but not for a source that keeps silent."""
        for thread in reversed(self._threads):
            thread.join(deadline.remaining_s())

    def readiness(self) -> list[str]:
        """Why it does not deliver; a camera that ended well is no reason."""
        if self._status.state in (State.UP, State.FINISHED):
            return []
        return [f"camera {self.id}: {self._status.why}"]

    def report(self) -> CameraReport:
        """How it stands, or ended."""
        return CameraReport(self.id, self._status.state, self._counts.tally(), self._error)

    def _run_capture(self) -> None:
        try:
            self._capture.run()
        except Exception as error:  # whatever it is, the process's other cameras go on
            self._fail(error)
        finally:
            self._buffer.close()

    def _run_publishing(self) -> None:
        try:
            self._publishing.run()
        except Exception as error:  # whatever it is, the process's other cameras go on
            self._fail(error)
            self._stop.set()
            self._publishing.abandon()
        self._status.finish()

    def _fail(self, error: Exception) -> None:
        if self._error is not None or self._stop.is_set():
            return
        self._error = error
        if isinstance(error, VssError):
            self._status.fail(str(error), error.fix)
        else:
            self._logger.error("unexpected error", exc_info=error)
            self._status.fail(f"unexpected {type(error).__name__}: {error}")
