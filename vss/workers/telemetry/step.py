"""The step of all workers that look at windows of readings: readings in, an event a window that is due."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent import futures
from typing import Any, Final, Protocol

import numpy as np

from vss.clock import Clock
from vss.codecs.headers import asked_model
from vss.errors import BadHeader
from vss.metrics import Metrics
from vss.model_store.serving.windows import Scoring, WindowServer
from vss.schemas.envelope import Outcome, OutcomeKind, Record
from vss.streams.windows.batch import Windows
from vss.workers.loop.notes import NoteWriter
from vss.workers.loop.step import Pending, Result, Unfinished, final
from vss.workers.telemetry.events import EventWriter, ScoredGroup
from vss.workers.telemetry.intake import Intake

TAKEN: Final = Outcome(OutcomeKind.TAKEN)
"""Of every reading that went into its window and has no event of its own."""


class Observer(Protocol):
    """Looks at what was found, once a window."""

    def saw(self, group: ScoredGroup) -> None:
        """Some windows of a micro-batch were looked at, in the order of their readings."""


class SensorStep:
    """Has windows looked at by the models that are served (see `vss.workers.loop.step.Step`).

    Args:
        name: Of the step: `anomaly`, `forecast`.
        task: What the models must do.
        state: Takes readings into windows; the loop keeps it (see `KeyedState`).
        server: What looks at windows; closed with the step.
        events: Writes the events.
        notes: Writes notes about readings that are left out.
        observer: Sees what was found; None for nobody.
        metrics: Where time is counted.
        clock: For the events' timestamps.
    """

    def __init__(
        self,
        name: str,
        *,
        task: str,
        state: Intake,
        server: WindowServer,
        events: EventWriter,
        notes: NoteWriter,
        observer: Observer | None = None,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.name = name
        self.state = state
        self._task = task
        self._server = server
        self._events = events
        self._notes = notes
        self._observer = observer
        self._clock = clock
        self._windows_seconds = metrics.stage_seconds.labels(name, "windows")
        self._encode_seconds = metrics.stage_seconds.labels(name, "encode")

    def begin(self, batch: Sequence[Record]) -> Pending:
        """Takes readings into their windows here, and leaves those that are due to the models' threads."""
        started_s = self._clock.monotonic()
        taken = self.state.take(batch)
        results: list[Result] = [TAKEN] * len(batch)
        for place, error in taken.refused.items():
            results[place] = error
        if taken.left_out:
            now_ns = self._clock.now_ns()
            for place, reason in taken.left_out.items():
                captured_ns = int(taken.ts_ms[place]) * 1_000_000
                results[place] = self._notes.note(batch[place], reason, captured_ns=captured_ns, now_ns=now_ns)
        due, windows, models = self._asked(batch, taken.due, taken.windows, results)
        self._windows_seconds.inc(self._clock.monotonic() - started_s)
        return self.look_at([batch[place] for place in due], windows, models, results, due, started_s)

    def look_at(
        self,
        records: Sequence[Record],
        windows: Windows,
        models: Sequence[str | None] | None,
        results: list[Result],
        due: Sequence[int],
        started_s: float,
    ) -> Pending:
        """Starts the models.

        Args:
            records: m, the newest reading of each window.
            windows: m.
            models: What each record asks for by name; None where none does.
            results: Of a batch; those at `due` are filled in.
            due: m places in it.
            started_s: When the work on it began, by the monotonic clock.
        """
        if not due:
            return final(results)
        keys = [record.key or b"" for record in records]
        scorings: list[Scoring] | Exception
        try:
            scorings = self._server.submit_windows(windows.values, keys, models, self._task)
        except Exception as error:  # readings are in their windows: they must not be taken in once more
            scorings = error
        return _PendingWindows(self, records, windows, models, results, due, scorings, started_s)

    def outcomes(
        self, records: Sequence[Record], windows: Windows, scoring: Scoring, started_s: float
    ) -> Sequence[Result]:
        """What became of the windows of one scoring, which has ended."""
        places = scoring.places
        try:
            scored = scoring.future.result()
            encoding_s = self._clock.monotonic()
            whole = len(places) == len(records)
            group = ScoredGroup(
                records=records if whole else [records[i] for i in places.tolist()],
                windows=windows if whole else some(windows, places),
                imputed=scored.imputed,
                name=scored.name,
                version=scored.version,
                inference_s=scored.inference_s,
                processing_s=encoding_s - started_s,
                value=scored.value,
            )
            messages = self._events.messages(group, self._clock.now_ns())
            if self._observer is not None:
                self._observer.saw(group)
        except Exception as error:  # the loop's table decides
            return [error] * len(places)
        captured_ns = (group.windows.end_ms * 1_000_000).tolist()
        found: list[Result] = [
            Outcome(OutcomeKind.EVENT, (message,), at_ns) for message, at_ns in zip(messages, captured_ns, strict=True)
        ]
        for i, failure in scored.failed.items():
            found[i] = failure
        self._encode_seconds.inc(self._clock.monotonic() - encoding_s)
        return found

    def close(self) -> None:
        """Frees the models and their threads."""
        self._server.close()

    def _asked(
        self, batch: Sequence[Record], due: Sequence[int], windows: Windows, results: list[Result]
    ) -> tuple[Sequence[int], Windows, list[str | None] | None]:
        """Which models the records that are due ask for; one that asks for none that can be is refused."""
        if not any(batch[place].headers for place in due):
            return due, windows, None
        models: list[str | None] = []
        kept: list[int] = []
        for i, place in enumerate(due):
            try:
                models.append(asked_model(batch[place].headers))
            except BadHeader as error:
                results[place] = error
            else:
                kept.append(i)
        if len(kept) < len(due):
            due, windows = [due[i] for i in kept], some(windows, np.array(kept, np.intp))
        return due, windows, models if any(models) else None


class _PendingWindows:
    """A micro-batch whose windows are being looked at."""

    def __init__(
        self,
        step: SensorStep,
        records: Sequence[Record],
        windows: Windows,
        models: Sequence[str | None] | None,
        results: list[Result],
        due: Sequence[int],
        scorings: list[Scoring] | Exception,
        started_s: float,
    ) -> None:
        self._step = step
        self._records = records
        self._windows = windows
        self._models = models
        self._results = results
        self._due = due
        self._scorings = scorings
        self._started_s = started_s
        self._ended = False

    def results(self, timeout_s: float | None = None) -> list[Result]:
        """See `Pending.results`."""
        if not self._ended:
            self._end(timeout_s)
            self._ended = True
        return self._results

    def again(self, indices: Sequence[int]) -> Pending:
        """See `Pending.again`. The windows are those of then: what came in since is not in them."""
        at = {place: i for i, place in enumerate(self._due)}
        chosen = [(i, at[place]) for i, place in enumerate(indices) if place in at]
        mine = [j for _, j in chosen]
        return self._step.look_at(
            [self._records[j] for j in mine],
            some(self._windows, np.array(mine, np.intp)),
            [self._models[j] for j in mine] if self._models is not None else None,
            [self._results[place] for place in indices],
            [i for i, _ in chosen],
            self._started_s,
        )

    def cancel(self) -> None:
        """See `Pending.cancel`."""
        if not isinstance(self._scorings, Exception):
            for scoring in self._scorings:
                scoring.future.cancel()

    def _end(self, timeout_s: float | None) -> None:
        if isinstance(self._scorings, Exception):
            for place in self._due:
                self._results[place] = self._scorings
            return
        waiting: list[Any] = [scoring.future for scoring in self._scorings]
        if futures.wait(waiting, timeout_s).not_done:
            raise Unfinished("windows are still in inference")
        for scoring in self._scorings:
            found = self._step.outcomes(self._records, self._windows, scoring, self._started_s)
            for i, result in zip(scoring.places.tolist(), found, strict=True):
                self._results[self._due[i]] = result


def some(windows: Windows, places: np.ndarray[Any, np.dtype[np.intp]]) -> Windows:
    """Some of them, in that order."""
    return Windows(
        windows.values[places],
        windows.missing[places],
        windows.first_offset[places],
        windows.start_ms[places],
        windows.end_ms[places],
    )
