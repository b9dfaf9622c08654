"""The topics that say which version of a model serves, read to their end and then followed.

`models` holds an operator's activations by model name, `model-verdicts` those that workers ended by activation id; both
are compacted, so whoever starts late finds what counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from vss.clock import Clock, Deadline, SystemClock
from vss.config import KafkaSettings
from vss.errors import BadRecord, ConfigError, VssError
from vss.logs import Logger, get_logger
from vss.schemas.envelope import Record, TopicPartition
from vss.schemas.topics import MODEL_VERDICTS, MODELS
from vss.streams.activation_state import Activations, ActivationState, activation_in, verdict_in
from vss.streams.log_reader import LogReader

OnChange = Callable[[str, ActivationState], None]

_LOOK_AGAIN_S = 10.0
_RETRY_S = 1.0
_PATIENCE_S = 2.0
_CLOSE_PATIENCE_S = 3.0
_TOPICS = (MODELS, MODEL_VERDICTS)


class ActivationFollower:
    """Knows which version of each model is active, and tells of each change.

    A record that is none of its topic's is logged and passed over. While a topic is missing nothing is active, and it
    is looked for now and then; a broker that goes away is waited for.

    Args:
        settings: The cluster and the prefix.
        on_change: Told of a model's new state, on the follower's thread, one after the other; must not block for long.
            Not told of what `start` returned.
        logger: For what a person wants to know.
        clock: For waits.
        look_again_s: How often a missing topic is looked for.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        on_change: OnChange,
        logger: Logger | None = None,
        clock: Clock | None = None,
        look_again_s: float = _LOOK_AGAIN_S,
    ) -> None:
        self._settings = settings
        self._on_change = on_change
        self._logger = logger if logger is not None else get_logger("activations")
        self._clock = clock if clock is not None else SystemClock()
        self._look_again_s = look_again_s
        self._known = Activations()
        self._positions: dict[TopicPartition, int] = {}
        self._missing: frozenset[str] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="activations", daemon=True)

    def start(self) -> dict[str, ActivationState]:
        """Reads both topics to their end, and follows them from there on.

        Returns:
            What is active now, by name of the model.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        with LogReader(self._settings, logger=self._logger, clock=self._clock) as reader:
            starts, ends = self._spans(reader)
            for records in reader.read(starts, ends):
                self._take(records, tell=False)
            self._positions |= ends
        self._thread.start()
        return self._known.states()

    def close(self) -> None:
        """Stops following. Idempotent; callable from any thread but the follower's own."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_CLOSE_PATIENCE_S)

    def __enter__(self) -> ActivationFollower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        away = False
        while not self._stop.is_set():
            try:
                with self._reader() as reader:
                    self._follow(reader)
            except VssError as error:
                if not away:
                    self._logger.warning("activations cannot be read; trying again", reason=str(error))
                away = True
                self._clock.wait(self._stop, _RETRY_S)
            else:
                away = False

    def _reader(self) -> LogReader:
        return LogReader(self._settings, logger=self._logger, clock=self._clock, patience_s=_PATIENCE_S)

    def _follow(self, reader: LogReader) -> None:
        """Until the stop, or until a missing topic is to be looked for again."""
        starts, _ = self._spans(reader)
        due = Deadline.after(self._look_again_s, self._clock)
        if not starts:
            self._clock.wait(self._stop, due.remaining_s())
            return
        for records in reader.follow(starts):
            if self._stop.is_set():
                return
            self._take(records, tell=True)
            if self._missing and due.passed():
                return

    def _spans(self, reader: LogReader) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """Where reading goes on in each partition there is, and the ends."""
        names = [topic.name(self._settings.topic_prefix) for topic in _TOPICS]
        starts: dict[TopicPartition, int] = {}
        ends: dict[TopicPartition, int] = {}
        missing = []
        for name in names:
            try:
                spans = reader.spans([name])
            except ConfigError as error:
                missing.append(name)
                if self._missing is None or name not in self._missing:
                    self._logger.warning("no activation is followed", reason=str(error), fix=error.fix)
                continue
            for partition, span in spans.items():
                # A topic that was made anew starts below what was read of the one before.
                known = self._positions.get(partition, span.low)
                starts[partition] = known if span.low <= known <= span.end else span.low
                ends[partition] = span.end
        self._missing = frozenset(missing)
        return starts, ends

    def _take(self, records: Iterable[Record], *, tell: bool) -> None:
        for record in records:
            self._positions[record.topic_partition] = record.offset + 1
            changed = take(self._known, record, self._settings.topic_prefix, self._logger)
            if changed is not None and tell:
                self._tell(changed)

    def _tell(self, changed: ActivationState) -> None:
        try:
            self._on_change(changed.activation.name, changed)
        except Exception:  # the next activation may be the one that helps: nothing may end the following
            self._logger.exception("an activation could not be taken", model=changed.activation.name)


def take(known: Activations, record: Record, prefix: str, logger: Logger) -> ActivationState | None:
    """Adds a record of one of the two topics; returns the state that it changes."""
    try:
        if record.topic == MODEL_VERDICTS.name(prefix):
            return known.give_up(verdict_in(record)) if record.value is not None else None
        if record.value is None:
            known.forget((record.key or b"").decode("utf-8", "replace"))
            return None
        return known.activate(activation_in(record))
    except BadRecord as error:
        logger.warning(
            "a record is no activation; passed over",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=str(error),
        )
        return None


def read_activations(
    settings: KafkaSettings, *, logger: Logger | None = None, clock: Clock | None = None, patience_s: float = 8.0
) -> dict[str, ActivationState]:
    """What is active now, by name of the model.

    Args:
        settings: The cluster and the prefix.
        logger: For what a person wants to know.
        clock: For waits.
        patience_s: How long a call may go on when no broker answers.

    Raises:
        BrokerUnavailable: No broker answers.
        ConfigError: A topic does not exist, or this user may not read it.
    """
    logger = logger if logger is not None else get_logger("activations")
    known = Activations()
    with LogReader(settings, logger=logger, clock=clock, patience_s=patience_s) as reader:
        # Verdicts last: one that is written meanwhile then meets its activation.
        for topic in _TOPICS:
            for records in read_all(reader, [topic.name(settings.topic_prefix)]):
                for record in records:
                    take(known, record, settings.topic_prefix, logger)
    return known.states()


def read_all(reader: LogReader, topics: Sequence[str]) -> Iterable[list[Record]]:
    """Everything that is in some topics now."""
    spans = reader.spans(topics)
    return reader.read({p: span.low for p, span in spans.items()}, {p: span.end for p, span in spans.items()})
