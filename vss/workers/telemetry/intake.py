"""The way of readings into the windows of their sensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.codecs.readings import ReadingLimits, decode_readings
from vss.errors import BadRecord, TooManySensors, UnknownSensor
from vss.schemas.envelope import Commit, Record, TopicPartition
from vss.streams.windows.arrivals import Arrival
from vss.streams.windows.batch import Windows
from vss.streams.windows.keyed_windows import KeyedWindows, Taken
from vss.workers.loop.keyed_state import Timed
from vss.workers.telemetry.sensors import ExpectedSensors

_WHY: Final = {Arrival.LATE: "late", Arrival.DUPLICATE: "duplicate"}


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of a micro-batch. Places are those of its records.

    Attributes:
        refused: By place, why a record is no reading, or of a sensor that no window is kept of.
        left_out: By place, why a reading is not in its sensor's window: `late` or `duplicate`.
        due: Places of readings whose windows are to be looked at, ascending.
        ts_ms: (n,) int64, event time of each reading.
        windows: Of those that are due, in the order of `due`.
    """

    refused: Mapping[int, BadRecord]
    left_out: Mapping[int, str]
    due: Sequence[int]
    ts_ms: NDArray[np.int64]
    windows: Windows


@dataclass(frozen=True, slots=True)
class _Arrived:
    """What windows say of a micro-batch.

    Attributes:
        refused: By place among the records.
        places: Among the records, of those that windows were asked to take.
        ts_ms: Of all records.
        taken: About those of `places`.
    """

    refused: dict[int, BadRecord]
    places: Sequence[int]
    ts_ms: NDArray[np.int64]
    taken: Taken


class Intake:
    """Decodes readings and takes them into windows; what a step keeps by key (see `KeyedState`).

    Args:
        windows: Where to; they say which features are read.
        limits: What a reading may be.
        sensors: Those that are expected; None expects all.
    """

    def __init__(self, windows: KeyedWindows, *, limits: ReadingLimits, sensors: ExpectedSensors | None = None) -> None:
        self._windows = windows
        self._features = windows.layout.features
        self._limits = limits
        self._sensors = sensors

    def take(self, records: Sequence[Record]) -> TakenIn:
        """Takes a micro-batch in, once.

        Args:
            records: Those of a partition come in offset order.
        """
        arrived = self._take(records)
        refused, places = arrived.refused, arrived.places
        left_out: dict[int, str] = {}
        for i in np.flatnonzero(arrived.taken.status >= Arrival.LATE).tolist():
            if (why := _WHY.get(Arrival(int(arrived.taken.status[i])))) is not None:
                left_out[places[i]] = why
            else:
                refused[places[i]] = TooManySensors(
                    "there is no room for the window of one more sensor (windows.max_keys, windows.max_bytes)",
                    fix="raise them, or start another worker",
                )
        return TakenIn(
            refused=refused,
            left_out=left_out,
            due=[places[i] for i in arrived.taken.due.tolist()],
            ts_ms=arrived.ts_ms,
            windows=self._windows.gather(arrived.taken),
        )

    # Of `KeyedState`.

    def start(self, partition: TopicPartition, commit: Commit | None) -> int | None:
        """See `KeyedState.start`."""
        return self._windows.start(partition, commit)

    def rebuild(self, records: Sequence[Record]) -> None:
        """See `KeyedState.rebuild`."""
        self._take(records, rebuilding=True)

    def memory(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, str]:
        """See `KeyedState.memory`."""
        return self._windows.memory(partitions)

    def timed(self, now_ns: int) -> Sequence[Timed]:
        """See `KeyedState.timed`: windows bring about nothing by themselves."""
        return ()

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """See `KeyedState.forget`."""
        self._windows.forget(partitions)

    def _take(self, records: Sequence[Record], *, rebuilding: bool = False) -> _Arrived:
        # A record is a tuple: this is by far the fastest way to its columns.
        partitions, offsets, keys, values, _headers, stamps = zip(*records, strict=True)
        readings = decode_readings(values, keys, stamps, self._limits)
        refused = dict(readings.errors)
        if self._sensors is not None:
            self._refuse_unknown(self._sensors, keys, refused)
        columns = readings.columns(self._features)
        ts_ms, at = readings.ts_ms, np.fromiter(offsets, np.int64, len(offsets))
        places: Sequence[int] = range(len(records))
        if refused:
            places = [i for i in places if i not in refused]
            partitions, keys = tuple(partitions[i] for i in places), tuple(keys[i] for i in places)
            kept = np.array(places, np.int64)
            at, columns, ts_ms = at[kept], columns[kept], ts_ms[kept]
        taken = self._windows.take(_runs(partitions), keys, at, ts_ms, columns, rebuilding=rebuilding)
        return _Arrived(refused, places, readings.ts_ms, taken)

    def _refuse_unknown(
        self, sensors: ExpectedSensors, keys: Sequence[bytes | None], refused: dict[int, BadRecord]
    ) -> None:
        if unknown := sensors.unknown(keys):
            for place, key in enumerate(keys):
                if key in unknown and place not in refused:
                    text = key.decode("utf-8", "replace")[:100]
                    refused[place] = UnknownSensor(
                        f"no pattern of windows.sensors names sensor {text!r}", fix="add a pattern that does"
                    )


def _runs(partitions: Sequence[TopicPartition]) -> list[tuple[TopicPartition, int]]:
    """How many records in a row are of which partition."""
    return [(partition, len(list(same))) for partition, same in groupby(partitions)]
