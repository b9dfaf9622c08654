"""Reads readings from a stretch of a topic, beside its consumer groups."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from vss.codecs.readings import ReadingLimits, Readings, decode_readings
from vss.config import Settings
from vss.errors import ConfigError
from vss.logs import Logger, get_logger
from vss.schemas.envelope import Record, TopicPartition
from vss.schemas.topics import CATALOGUE
from vss.streams.log_range import Moment, spans_between
from vss.streams.log_reader import LogReader
from vss.training.data.columns import Columns, place_of
from vss.training.data.series import SensorSeries, TrainingData, Values, leave_out_infinite, usual_period_ms

MAX_READINGS: Final = 20_000_000
_RECORDS_AT_ONCE: Final = 4_096


@dataclass(slots=True)
class _Sensor:
    """What was read of one, eight bytes a number; a column is as long as its last known value is far in."""

    ts_ms: array[int] = field(default_factory=lambda: array("q"))
    columns: dict[str, array[float]] = field(default_factory=dict)

    def add(self, ts_ms: int, values: Mapping[str, float | None]) -> None:
        place = len(self.ts_ms)
        self.ts_ms.append(ts_ms)
        for name, value in values.items():
            column = self.columns.setdefault(name, array("d"))
            column.extend([math.nan] * (place - len(column)))
            column.append(math.nan if value is None else value)

    def table(self, names: Sequence[str]) -> Values:
        values = np.full((len(self.ts_ms), len(names)), np.nan)
        for place, name in enumerate(names):
            column = self.columns.get(name, array("d"))
            values[: len(column), place] = column
        return values


def read_topic(
    settings: Settings,
    topic: str,
    start: Moment | None,
    end: Moment | None,
    columns: Columns | None = None,
    *,
    period_ms: int | None = None,
    logger: Logger | None = None,
) -> TrainingData:
    """Reads readings as a `read_committed` consumer sees them. Joins no group and commits nothing.

    Readings come into the order of their times; of those with one time the first counts, as in a worker's window.

    Args:
        settings: The cluster, its prefix, and what a reading may be.
        topic: Short name in the catalogue (`telemetry`), or a topic's full name.
        start: The first that counts; None is the oldest there is.
        end: The first that no longer counts; None is the end as it is now.
        columns: Which features; all that readings have by default.
        period_ms: Time from one reading to the next; the median step by default.
        logger: For what the client says.

    Raises:
        BrokerUnavailable: No broker answers.
        ConfigError: The topic does not exist, nothing lies in the range, or no reading has such a feature.
    """
    columns = columns if columns is not None else Columns()
    full = next((entry.name(settings.kafka.topic_prefix) for entry in CATALOGUE if entry.short == topic), topic)
    limits = ReadingLimits.of(settings.limits)
    sensors: dict[str, _Sensor] = {}
    digests: dict[TopicPartition, Any] = {}  # partitions come interleaved, never twice alike
    unreadable = 0
    with LogReader(settings.kafka, logger=logger if logger is not None else get_logger("readings")) as reader:
        spans = spans_between(reader, full, start, end)
        if not spans:
            raise _nothing_in(full)
        if sum(span.end - span.low for span in spans.values()) > MAX_READINGS:
            raise ConfigError(f"that range of {full} holds more than {MAX_READINGS:,} records", fix="narrow it")
        starts = {p: span.low for p, span in spans.items()}
        for records in reader.read(starts, {p: span.end for p, span in spans.items()}, max_records=_RECORDS_AT_ONCE):
            for record in records:
                digests.setdefault(record.topic_partition, hashlib.sha256()).update(record.value or b"")
            unreadable += _take(records, limits, sensors)
    if not sensors:
        raise _nothing_in(full)
    names = _features(sensors, columns, full)
    series, repeated = [], 0
    for sensor_id, one in sorted(sensors.items()):
        made = _series(sensor_id, one, names)
        repeated += len(one.ts_ms) - len(made)
        series.append(made)
    left_out = (("records that are no readings", unreadable), ("readings of a time that another has", repeated))
    period = period_ms if period_ms is not None else usual_period_ms(series, full)
    shown = tuple(one for one in left_out if one[1])
    digest = hashlib.sha256(b"".join(digests[partition].digest() for partition in sorted(digests))).hexdigest()
    return TrainingData(names, tuple(series), period, digest, full, shown)


def _take(records: list[Record], limits: ReadingLimits, sensors: dict[str, _Sensor]) -> int:
    """Sorts readings into their sensors; returns how many records were none."""
    found: Readings = decode_readings(
        [record.value for record in records],
        [record.key for record in records],
        [record.timestamp_ms for record in records],
        limits,
    )
    for place, record in enumerate(records):
        if place not in found.errors:
            sensor = sensors.setdefault((record.key or b"").decode("utf-8", "replace"), _Sensor())
            sensor.add(int(found.ts_ms[place]), found.values[place])
    return len(found.errors)


def _features(sensors: dict[str, _Sensor], columns: Columns, topic: str) -> tuple[str, ...]:
    there = dict.fromkeys(name for one in sensors.values() for name in one.columns)
    if columns.features is None:
        labels = {name.lower() for name in columns.labels}
        found = tuple(sorted(name for name in there if name.lower() not in labels))
    else:
        found = columns.features
        for name in found:
            place_of(name, list(there), topic, "--features")
    if not found:
        raise ConfigError(f"the readings of {topic} have no values", fix="choose another --from and --to")
    return found


def _series(sensor_id: str, one: _Sensor, names: tuple[str, ...]) -> SensorSeries:
    times, first = np.unique(np.array(one.ts_ms, np.int64), return_index=True)
    values = one.table(names)[first]
    leave_out_infinite(values)
    return SensorSeries(sensor_id, times, values)


def _nothing_in(topic: str) -> ConfigError:
    return ConfigError(
        f"no reading of {topic} lies in that range",
        fix="widen --from and --to, or publish readings first: vss sensor ID SOURCE",
    )
