"""From what a model says about windows to the events that are written.

At a hundred thousand readings a second every microsecond of an event counts: what many events share is made once, and
their JSON is laid by hand. A test holds it equal to the schemas in `vss.schemas.telemetry`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from vss.codecs.headers import format_time, traceparent_of
from vss.model_store.tasks.series.results import SEVERITIES, AnomalyScores, Forecasts
from vss.schemas.envelope import Headers, Message, Record
from vss.schemas.topics import ANOMALIES, FORECASTS, Topic
from vss.streams.windows.batch import Windows

_SECONDS_DIGITS: Final = 6
# Numbers of float32 are written with as many digits as tell them apart, which is half of what a double takes.
_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True, slots=True)
class ScoredGroup:
    """Windows that one version has looked at.

    Attributes:
        records: k, the newest reading of each window.
        windows: k.
        imputed: (k,) values that stood in for missing ones.
        name: Of the model.
        version: Of the model.
        inference_s: Its time for one window, seconds.
        processing_s: From the decoding of the readings until now, seconds.
        value: What it says.
    """

    records: Sequence[Record]
    windows: Windows
    imputed: NDArray[np.int32]
    name: str
    version: str
    inference_s: float
    processing_s: float
    value: Any


class Findings(Protocol):
    """What an event says beyond its window and its model, for one task."""

    topic: Topic

    def found(self, group: ScoredGroup) -> Iterator[dict[str, Any]]:
        """The fields of each window's event, in the order of the schema."""


class AnomalyFindings:
    """Of `AnomalyEvent`."""

    topic = ANOMALIES

    def found(self, group: ScoredGroup) -> Iterator[dict[str, Any]]:
        """See `Findings.found`."""
        said: AnomalyScores = group.value
        threshold, features = float(said.threshold), said.features
        # Most windows are normal, and say nothing about features.
        order = np.argsort(-said.shares, axis=1, kind="stable")
        for i, (score, bad, confidence, severity) in enumerate(
            zip(said.score, said.is_anomaly.tolist(), said.confidence, said.severity.tolist(), strict=True)
        ):
            affected = [{"feature": features[j], "share": said.shares[i, j]} for j in order[i]] if bad else ()
            yield {
                "is_anomaly": bad,
                "anomaly_score": score,
                "threshold": threshold,
                "confidence": confidence,
                "affected_features": affected,
                "severity": SEVERITIES[severity],
            }


class ForecastFindings:
    """Of `ForecastEvent`."""

    topic = FORECASTS

    def found(self, group: ScoredGroup) -> Iterator[dict[str, Any]]:
        """See `Findings.found`."""
        said: Forecasts = group.value
        features, level, horizon = said.features, float(said.level), said.horizon
        steps = group.windows.end_ms[:, None] + said.period_ms * np.arange(1, horizon + 1)
        times = _times(steps.reshape(-1))
        # A row a feature, as the event has it.
        values = np.ascontiguousarray(said.forecast.transpose(0, 2, 1))
        intervals = np.ascontiguousarray(np.stack((said.lower, said.upper), axis=-1).transpose(0, 2, 1, 3))
        for i in range(len(values)):
            yield {
                "horizon": horizon,
                "times": times[i * horizon : (i + 1) * horizon],
                "predictions": dict(zip(features, values[i], strict=True)),
                "confidence_intervals": dict(zip(features, intervals[i], strict=True)),
                "confidence_level": level,
            }


class EventWriter:
    """Writes the events of one task.

    Args:
        findings: What they say.
        topic_prefix: What every topic's name starts with.
        group: Consumer group, named in their `ce_source`.
    """

    def __init__(self, findings: Findings, *, topic_prefix: str, group: str) -> None:
        self._findings = findings
        self._topic = findings.topic.name(topic_prefix)
        self._source = ("ce_source", f"/groups/{group}".encode())
        self._type = ("ce_type", (findings.topic.ce_type or "").encode())

    def messages(self, group: ScoredGroup, now_ns: int) -> list[Message]:
        """The event of each window.

        Args:
            group: What was found.
            now_ns: When the events are made, nanoseconds since the epoch.

        Raises:
            TypeError: There is a number that JSON does not have.
        """
        now = format_time(now_ns)
        windows = group.windows
        starts, ends = _times(windows.start_ms), _times(windows.end_ms)
        readings = windows.values.shape[1]
        model = {
            "model_name": group.name,
            "model_version": group.version,
            "inference_time": round(group.inference_s, _SECONDS_DIGITS),
            "processing_time": round(group.processing_s, _SECONDS_DIGITS),
            "timestamp": now,
        }
        behind_id = (
            self._type,
            self._source,
            ("ce_time", now.encode()),
            ("content-type", b"application/json"),
            ("datacontenttype", b"application/json"),
        )
        ids = EventIds(group.name, group.version)
        messages = []
        for record, first_offset, start, end, imputed, found in zip(
            group.records,
            windows.first_offset.tolist(),
            starts,
            ends,
            group.imputed.tolist(),
            self._findings.found(group),
            strict=True,
        ):
            (topic, partition), offset, key, _value, headers, _stamp = record
            named = dict(headers) if headers else {}
            event_id = ids.of(record, named)
            value = {
                "id": event_id,
                "sensor_id": key.decode() if key else "",
                "captured_at": end,
                "window": {
                    "readings": readings,
                    "first_offset": first_offset,
                    "start": start,
                    "end": end,
                    "imputed": imputed,
                },
                **model,
                "source": {"topic": topic, "partition": partition, "offset": offset},
                **found,
            }
            pairs: Headers = (("ce_specversion", b"1.0"), ("ce_id", event_id.encode()), *behind_id)
            if named and (trace := traceparent_of(named)) is not None:
                pairs = (*pairs, ("traceparent", trace.encode()))
            messages.append(Message(self._topic, key, orjson.dumps(value, option=_OPTIONS), pairs))
        return messages


class EventIds:
    """Ids of the events that one version makes: those of `vss.codecs.event_id`, for many records.

    Args:
        name: Of the model.
        version: Of the model.
    """

    def __init__(self, name: str, version: str) -> None:
        self._behind = f"\x1f{name}\x1f{version}\x1f".encode()

    def of(self, record: Record, headers: Mapping[str, bytes | None]) -> str:
        """The id of a record's event.

        Args:
            record: The record.
            headers: Its headers; of a repeated one the last.
        """
        topic, partition = record.topic_partition
        ce_id = headers.get("ce_id") or b""
        text = f"{topic}\x1f{partition}\x1f{record.offset}".encode() + self._behind + ce_id
        return hashlib.blake2b(text, digest_size=16).hexdigest()


def _times(times_ms: NDArray[np.int64]) -> list[str]:
    """RFC 3339 in UTC with microseconds, as `format_time` writes it, of milliseconds since the epoch."""
    found: list[str] = np.datetime_as_string(times_ms.astype("datetime64[ms]"), unit="us", timezone="UTC").tolist()
    return found
