"""The rolling score as a step of the house: decoding, windows and loop are those of every telemetry worker."""

from __future__ import annotations

from collections.abc import Sequence

from vss.bench.telemetry.feed import event
from vss.bench.telemetry.rolling import rolling_scores
from vss.schemas.envelope import Message, Outcome, OutcomeKind, Record
from vss.workers.loop.step import Pending, Result, final
from vss.workers.telemetry.intake import Intake
from vss.workers.telemetry.step import TAKEN


class RollingStep:
    """Scores each window that is due (see `Step`).

    Args:
        intake: Takes readings into windows.
        target: Topic of events.
    """

    name = "rolling"

    def __init__(self, intake: Intake, *, target: str) -> None:
        self._intake = intake
        self._target = target

    def begin(self, batch: Sequence[Record]) -> Pending:
        """See `Step.begin`."""
        taken = self._intake.take(batch)
        results: list[Result] = [TAKEN] * len(batch)
        scores = rolling_scores(taken.windows.values).tolist()
        for place, ts_ms, score in zip(taken.due, taken.windows.end_ms.tolist(), scores, strict=True):
            key = batch[place].key or b""
            message = Message(self._target, key, event(key.decode(), ts_ms, score))
            results[place] = Outcome(OutcomeKind.EVENT, (message,), ts_ms * 1_000_000)
        for place, error in taken.refused.items():
            results[place] = error
        return final(results)

    def close(self) -> None:
        """See `Step.close`."""
