"""Waits for what workers say about an activation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType

from vss.clock import Clock, Deadline, SystemClock
from vss.codecs.events import decode_event
from vss.config import KafkaSettings
from vss.errors import BadRecord
from vss.schemas.models import ModelEvent
from vss.schemas.topics import MODEL_EVENTS
from vss.streams.log_reader import LogReader

_POLL_S = 0.1
QUIET_S = 3.0
"""Workers swap within moments of each other: after this long without a word, no more is expected."""


class EventWatch:
    """What workers say from now on; made before the activation is published, so that nothing is missed.

    Args:
        settings: The cluster and the prefix.
        clock: For deadlines.

    Raises:
        BrokerUnavailable: No broker answers.
        ConfigError: There is no such topic.
    """

    def __init__(self, settings: KafkaSettings, *, clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._reader = LogReader(settings, clock=self._clock)
        spans = self._reader.spans([MODEL_EVENTS.name(settings.topic_prefix)])
        self._starts = {partition: span.end for partition, span in spans.items()}

    def __enter__(self) -> EventWatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._reader.close()

    def about(
        self, activation_id: str, *, wait_s: float, quiet_s: float = QUIET_S, stop: threading.Event | None = None
    ) -> Iterator[ModelEvent]:
        """Events about one activation, as they come.

        Args:
            activation_id: Which.
            wait_s: How long to wait in all.
            quiet_s: Ends that long after the last event.
            stop: Ends soon after this is set.
        """
        deadline = Deadline.after(wait_s, self._clock)
        quiet: Deadline | None = None
        for records in self._reader.follow(self._starts, timeout_s=_POLL_S):
            for record in records:
                try:
                    event = decode_event(ModelEvent, record.value)
                except BadRecord:
                    continue  # of somebody else's making
                if event.activation_id == activation_id:
                    quiet = Deadline.after(quiet_s, self._clock)
                    yield event
            stopped = stop is not None and stop.is_set()
            if stopped or deadline.passed() or (quiet is not None and quiet.passed()):
                return
