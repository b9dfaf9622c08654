"""Whether a contender wrote what it should have: each event once, with the score of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vss.bench.telemetry.feed import said
from vss.clock import Deadline, SystemClock
from vss.config import KafkaSettings
from vss.errors import BrokenPromise
from vss.streams.log_reader import LogReader

_PATIENCE_S: Final = 60.0
# Sums in another order differ by less.
_TOLERANCE: Final = 1e-9


def check_outputs(
    settings: KafkaSettings, topic: str, reference: Mapping[tuple[str, int], float], *, contender: str
) -> int:
    """Reads all that is committed and holds it to the reference; returns how many events were checked.

    Raises:
        BrokenPromise: An event is missing, came twice, or says something else.
    """
    found: dict[tuple[str, int], float] = {}
    with LogReader(settings) as reader:
        spans = reader.decided_spans([topic], Deadline.after(_PATIENCE_S, SystemClock()))
        starts = {partition: span.low for partition, span in spans.items()}
        ends = {partition: span.end for partition, span in spans.items()}
        for records in reader.read(starts, ends):
            for record in records:
                place, score = said(record.value)
                if place in found:
                    raise BrokenPromise(f"{contender} wrote the event of sensor {place[0]} at {place[1]} twice")
                wanted = reference.get(place)
                if wanted is None:
                    raise BrokenPromise(f"{contender} wrote an event of sensor {place[0]} at {place[1]}: none is due")
                if abs(score - wanted) > _TOLERANCE * max(1.0, abs(wanted)):
                    raise BrokenPromise(f"{contender} says {score} of sensor {place[0]} at {place[1]}, not {wanted}")
                found[place] = score
    if len(found) < len(reference):
        raise BrokenPromise(f"{contender} wrote {len(found)} events, {len(reference)} are due")
    return len(found)
