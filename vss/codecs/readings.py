"""Readings to columns: a batch of record values to times and values, each record with its own error.

Every check looks at a whole column at once, with a call that runs in C; only where it fails does it look for the
records that do not fit. So a batch costs about a microsecond a reading, and a record that cannot be read costs its
neighbours nothing. The values are parsed one by one and not as one joined text: that gains a tenth of a microsecond,
and `{"a":[{"b":1}` followed by `{"c":2}]}` would be one reading instead of two errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from vss.codecs.headers import parse_time
from vss.config import Limits
from vss.errors import BadReading, BadRecord, EmptyValue, MalformedEvent, MissingKey, RecordTooLarge

Values = Mapping[str, float | None]
"""What a reading says, by feature; None, NaN and the infinities are missing."""

_KEY_LIMIT_BYTES: Final = 1024
_SHOWN: Final = 40
_NUMBERS: Final = frozenset({int, float, NoneType})
# The year 10000, which RFC 3339 cannot say.
_LATEST_MS: Final = 253_402_300_800_000
_UTC_MARKS: Final = itemgetter(4, 7, 10, 13, 16, -1)
_IN_UTC: Final = ("-", "-", "T", ":", ":", "Z")
# With no fraction of a second, or a dot and up to nine digits; more are cut off elsewhere.
_UTC_LENGTHS: Final = frozenset({20, *range(22, 31)})
_DIGITS: Final = b"0123456789."
_INTEGER_DIGITS: Final = 18
_KINDS: Final = {bool: "a boolean", str: "a string", dict: "an object", list: "an array", NoneType: "null"}


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What a reading may be.

    Attributes:
        max_bytes: Of its value.
        max_features: In it.
        earliest_ms: Its time at least, milliseconds since the epoch.
        max_ahead_ms: How far its time may lie after the record's own timestamp.
    """

    max_bytes: int
    max_features: int
    earliest_ms: int
    max_ahead_ms: int

    @classmethod
    def of(cls, limits: Limits) -> ReadingLimits:
        """Those of the settings.

        Raises:
            ValueError: `earliest_reading` is no RFC 3339 time.
        """
        return cls(
            max_bytes=limits.max_reading_bytes,
            max_features=limits.max_features,
            earliest_ms=parse_time(limits.earliest_reading) // 1_000_000,
            max_ahead_ms=min(limits.max_ahead_ms, _LATEST_MS),
        )


@dataclass(frozen=True, slots=True)
class Readings:
    """A batch of n readings.

    Attributes:
        ts_ms: int64 (n,), when each was measured, milliseconds since the epoch; 0 where there is an error.
        values: n, by feature; empty where there is an error.
        errors: By place in the batch, why there is no reading.
    """

    ts_ms: NDArray[np.int64]
    values: Sequence[Values]
    errors: Mapping[int, BadRecord]

    @property
    def good(self) -> Sequence[int]:
        """The places without an error, ascending."""
        places = range(len(self.values))
        return [i for i in places if i not in self.errors] if self.errors else places

    def columns(self, features: Sequence[str]) -> NDArray[np.float32]:
        """The values of some features: float32 (n, F), NaN where one is missing, no number or beyond float32."""
        found = np.empty((len(self.values), len(features)), np.float64)
        try:
            self._fill(found, features)
        except (KeyError, TypeError):  # something is missing
            for column, feature in enumerate(features):
                found[:, column] = np.array([values.get(feature) for values in self.values], np.float64)
        with np.errstate(over="ignore"):
            narrow = found.astype(np.float32)
        narrow[~np.isfinite(narrow)] = np.nan
        return narrow

    def _fill(self, found: NDArray[np.float64], features: Sequence[str]) -> None:
        """Raises KeyError or TypeError where a value is missing."""
        if not found.size:
            return
        rows: Iterable[Any] = map(itemgetter(*features), self.values)
        flat = chain.from_iterable(rows) if len(features) > 1 else rows
        found[:] = np.fromiter(flat, np.float64, found.size).reshape(found.shape)


def decode_readings(
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None],
    timestamps_ms: Sequence[int],
    limits: ReadingLimits,
) -> Readings:
    """What a batch of records says. Raises nothing: any bytes are a reading or an error of their own.

    Args:
        values: JSON as `vss.schemas.reading.Reading` says; `sensor_id` may be left out, for the key names the sensor.
        keys: The sensor ids, UTF-8.
        timestamps_ms: The records' own, milliseconds since the epoch; 0 where a record has none.
        limits: What a reading may be.
    """
    decoder = _Decoder(values, keys, limits)
    return decoder.decode(timestamps_ms)


class _Decoder:
    """One batch under way. What a check refuses is out: later checks see an empty stand-in."""

    def __init__(self, values: Sequence[bytes | None], keys: Sequence[bytes | None], limits: ReadingLimits) -> None:
        self._raw = values
        self._keys = keys
        self._limits = limits
        self._errors: dict[int, BadRecord] = {}

    def decode(self, timestamps_ms: Sequence[int]) -> Readings:
        names = self._names()
        documents = self._documents(self._sizes_checked())
        self._check_ids([document.get("sensor_id") for document in documents], names)
        ts_ms = self._times([document.get("ts") for document in documents], timestamps_ms)
        values = self._values([document.get("values") for document in documents])
        if self._errors:
            places = list(self._errors)
            ts_ms[places] = 0
            for place in places:
                values[place] = {}
        return Readings(ts_ms, values, self._errors)

    def _refuse(self, place: int, error: BadRecord) -> None:
        self._errors.setdefault(place, error)

    def _names(self) -> dict[bytes | None, str | None]:
        """The text of each distinct key; None for one that names no sensor."""
        names: dict[bytes | None, str | None] = {}
        why: dict[bytes | None, str] = {}
        for key in set(self._keys):
            names[key] = None
            if not key:
                why[key] = "a reading needs its sensor id as the record's key; produce it with one"
            elif len(key) > _KEY_LIMIT_BYTES:
                why[key] = f"the key is longer than {_KEY_LIMIT_BYTES} bytes; use a shorter sensor id"
            else:
                try:
                    names[key] = key.decode()
                except UnicodeDecodeError:
                    why[key] = "the key is no UTF-8 text; encode the sensor id as UTF-8"
        if why:
            for place, key in enumerate(self._keys):
                if key in why:
                    self._refuse(place, MissingKey(why[key]))
        return names

    def _sizes_checked(self) -> list[bytes]:
        """The values, with `{}` where there is none or too large a one."""
        limit = self._limits.max_bytes
        if all(self._raw) and max(map(len, self._raw), default=0) <= limit:  # type: ignore[arg-type]  # none is None
            return list(self._raw)  # type: ignore[arg-type]
        checked: list[bytes] = []
        for place, value in enumerate(self._raw):
            if not value:
                self._refuse(place, EmptyValue("the record has no value"))
            elif len(value) > limit:
                self._refuse(
                    place,
                    RecordTooLarge(
                        f"the reading has {len(value)} bytes, more than limits.max_reading_bytes, which is {limit}"
                    ),
                )
            checked.append(value if value and len(value) <= limit else b"{}")
        return checked

    def _documents(self, values: Sequence[bytes]) -> list[dict[str, Any]]:
        try:
            documents = list(map(orjson.loads, values))
        except ValueError:
            documents = [self._parsed(place, value) for place, value in enumerate(values)]
        if set(map(type, documents)) - {dict}:
            for place, document in enumerate(documents):
                if type(document) is not dict:
                    self._refuse(place, MalformedEvent(f"the value is no JSON object but {_kind(document)}"))
                    documents[place] = {}
        return documents

    def _parsed(self, place: int, value: bytes) -> Any:
        try:
            return orjson.loads(value)
        except ValueError as error:
            reason = str(error)
        if b"NaN" in value or b"Infinity" in value:
            # No JSON, but what Python's json and others write for them.
            try:
                return json.loads(value.decode(), parse_int=_integer)
            except (ValueError, RecursionError):
                pass  # there is more to it than that
        self._refuse(place, MalformedEvent(f"the value is no JSON: {reason}"))
        return {}

    def _check_ids(self, ids: Sequence[object], names: Mapping[bytes | None, str | None]) -> None:
        wanted = [names[key] for key in self._keys]
        if ids == wanted:
            return
        for place, (sensor_id, name) in enumerate(zip(ids, wanted, strict=True)):
            if sensor_id is None or sensor_id == name:
                continue
            if not isinstance(sensor_id, str):
                self._refuse(place, BadReading(f"sensor_id is {_kind(sensor_id)}; send it as a string"))
            elif name is not None:
                said, key = repr(sensor_id[:_SHOWN]), repr(name[:_SHOWN])
                self._refuse(place, BadReading(f"sensor_id is {said} and the key {key}; send the sensor id as the key"))

    def _times(self, found: Sequence[Any], timestamps_ms: Sequence[int]) -> NDArray[np.int64]:
        times = _all_integers(found) if (kinds := set(map(type, found))) == {int} else None
        if kinds == {str}:
            times = _all_in_utc(found)
        if times is None:
            times = np.fromiter((self._time(i, ts) for i, ts in enumerate(found)), np.int64, len(found))
        stamps = np.fromiter(timestamps_ms, np.int64, len(found))
        ahead = np.minimum(np.minimum(stamps, _LATEST_MS) + self._limits.max_ahead_ms, _LATEST_MS - 1)
        latest = np.where(stamps > 0, ahead, _LATEST_MS - 1)
        for place in np.flatnonzero((times < self._limits.earliest_ms) | (times > latest)).tolist():
            early = times[place] < self._limits.earliest_ms
            self._refuse(place, BadReading(_out_of_range(int(times[place]), int(stamps[place]), early=bool(early))))
        return times

    def _time(self, place: int, ts: object) -> int:
        """Milliseconds since the epoch; something in range and an error where it is no time."""
        why = f"ts is {_kind(ts)}"
        match ts:
            case str():
                try:
                    return parse_time(ts) // 1_000_000
                except (ValueError, OverflowError):
                    why = f"ts is no RFC 3339 time with a zone: {ts[:_SHOWN]!r}"
            case bool():
                pass
            case int() | float():
                if abs(ts) < _LATEST_MS and ts == int(ts):
                    return int(ts)
                why = f"ts is no time in milliseconds: {ts!r}"[:120]
            case None:
                why = "the reading has no ts"
        hint = "; send RFC 3339, or whole milliseconds since the epoch"
        self._refuse(place, MalformedEvent(why + hint) if ts is None else BadReading(why + hint))
        return self._limits.earliest_ms

    def _values(self, found: list[Any]) -> list[Values]:
        if set(map(type, found)) - {dict}:
            for place, values in enumerate(found):
                if type(values) is not dict:
                    what = "the reading has no values" if values is None else f"values is {_kind(values)}"
                    self._refuse(place, MalformedEvent(f'{what}; send {{"values": {{"feature": number}}}}'))
                    found[place] = {}
        limit = self._limits.max_features
        if max(map(len, found), default=0) > limit:
            for place, values in enumerate(found):
                if len(values) > limit:
                    why = f"the reading has {len(values)} features, more than limits.max_features, which is {limit}"
                    self._refuse(place, BadReading(why))
        if set(map(type, chain.from_iterable(map(dict.values, found)))) - _NUMBERS:
            for place, values in enumerate(found):
                self._check_numbers(place, values)
        return found

    def _check_numbers(self, place: int, values: Mapping[str, object]) -> None:
        for feature, value in values.items():
            if type(value) not in _NUMBERS:
                shown = f" {value[:_SHOWN]!r}" if isinstance(value, str) else ""
                said = f"feature {feature[:_SHOWN]!r} is {_kind(value)}{shown}"
                self._refuse(place, BadReading(f"{said}; send a number, or null where there is none"))
                return


def _all_integers(found: Sequence[int]) -> NDArray[np.int64] | None:
    try:
        return np.fromiter(found, np.int64, len(found))
    except OverflowError:
        return None


def _all_in_utc(found: Sequence[str]) -> NDArray[np.int64] | None:
    """Milliseconds since the epoch of times such as 2026-11-25T08:00:00.125Z; None where one looks otherwise."""
    if not set(map(len, found)) <= _UTC_LENGTHS or set(map(_UTC_MARKS, found)) != {_IN_UTC}:
        return None
    # NumPy would also read signs, zones before the Z, and the year 0.
    if "".join(found).encode().translate(None, _DIGITS) != b"--T::Z" * len(found) or min(found) < "0001":
        return None
    try:
        return np.array([ts[:-1] for ts in found], "datetime64[ms]").astype(np.int64)
    except ValueError:
        return None


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


def _integer(digits: str) -> int | float:
    """As orjson does: what 64 bits cannot hold is a float."""
    return int(digits) if len(digits) <= _INTEGER_DIGITS else float(digits)


def _out_of_range(ts_ms: int, stamp_ms: int, *, early: bool) -> str:
    if early:
        return f"ts is {ts_ms} ms since the epoch, before limits.earliest_reading; set the sensor's clock"
    if not stamp_ms:
        return f"ts is {ts_ms} ms since the epoch, after the year 9999; send milliseconds"
    ahead = f"{ts_ms - stamp_ms} ms after the record's own timestamp, more than limits.max_ahead_ms"
    return f"ts is {ahead}; set the sensor's clock, or send milliseconds"
