"""What a sensor is told: by flags for one, by `sensors.toml` for many."""

from __future__ import annotations

import math
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from vss.workers.ingest.tables import FeedId, checked, load_tables
from vss.workers.sensor.registers import Register


def _speed(value: object) -> object:
    return math.inf if value == "max" else value


def _listed(value: object) -> object:
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


class SensorConfig(BaseModel):
    """One source of readings; the fields are the keys of a `[[sensor]]` table and, with dashes, the flags."""

    # What was given may hold a password: pydantic must not repeat it in its messages.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: FeedId = Field(description="The key of its readings, unless they name their sensors themselves.")
    source: str = Field(min_length=1, repr=False, description="Where its readings come from.")
    time_column: str | None = Field(None, min_length=1, description="Column or field that holds the time.")
    time_format: str | None = Field(None, min_length=1, description="How times are written, as `strptime` takes it.")
    timezone: str = Field("UTC", description="Of times that name none.")
    sensor_column: str | None = Field(None, min_length=1, description="Column or field that holds the sensor's id.")
    features: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        (), description="Columns or fields to publish; all that hold numbers by default."
    )
    map: dict[str, str] = Field(default_factory=dict, description="Feature to the column or field it comes from.")
    separator: str | None = Field(None, description="Between the columns of a CSV file.")
    speed: Annotated[float, BeforeValidator(_speed)] = Field(
        1.0, gt=0, description="Times a file's own pace; `max` does not keep it."
    )
    loop: bool = Field(False, description="Begin a file again at its end, for ever.")
    from_now: bool = Field(False, description="Move a file's times, so that its first reading is of now.")
    period_ms: float | None = Field(
        None, gt=0, le=86_400_000, description="Between two readings; of Modbus, between two polls (1000)."
    )
    jump_periods: int = Field(60, ge=1, description="A step of more than this many periods is a jump of the clock.")
    buffer: int = Field(1000, ge=1, le=1_000_000, description="Readings that may wait between source and Kafka.")
    timeout_s: float = Field(10.0, gt=0, le=3600, description="Silence after which a connection has dropped, seconds.")
    sensor_from_topic: str | None = Field(None, description="What an MQTT topic says: `factory/{sensor}/{feature}`.")
    session: str | None = Field(
        None, min_length=1, max_length=200, description="Client id; the broker keeps what comes while it is away."
    )
    password_file: Path | None = Field(None, description="File that holds the password.")
    password_env: str = Field("VSS_MQTT_PASSWORD", description="Variable that holds the password.")
    ca_file: Path | None = Field(None, description="PEM file of the CA that signs the broker's certificate.")
    cert_file: Path | None = Field(None, description="PEM file of our certificate.")
    key_file: Path | None = Field(None, description="PEM file of its key.")
    registers: tuple[Register, ...] = Field((), description="What to read of a Modbus device.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone {value[:40]!r}; write UTC or Europe/Berlin") from None
        return value

    @field_validator("separator")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        named = {"tab": "\t", "\\t": "\t"}.get(value, value) if value is not None else None
        if named is not None and (len(named) != 1 or named in '"\r\n'):
            raise ValueError("must be one character, or tab")
        return named

    @model_validator(mode="after")
    def _unique_names(self) -> SensorConfig:
        names = [*self.features, *self.map]
        for name in [*names, *(register.name for register in self.registers)]:
            if names.count(name) > 1 or [one.name for one in self.registers].count(name) > 1:
                raise ValueError(f"feature {name!r} is named twice")
        return self


def sensor_config(values: Mapping[str, Any], *, where: str = "") -> SensorConfig:
    """Checks one sensor.

    Args:
        values: By field name.
        where: What errors call it.

    Raises:
        ConfigError: A value does not fit or a key is unknown; names it, and the nearest known key.
    """
    return checked(SensorConfig, values, role="sensor", where=where)


def load_sensors(file: Path, defaults: Mapping[str, Any] | None = None) -> list[SensorConfig]:
    """Reads `[[sensor]]` tables.

    Args:
        file: TOML.
        defaults: For every sensor that does not say otherwise.

    Raises:
        ConfigError: The file is missing, no TOML, or holds something else than sensors with ids of their own.
    """
    return load_tables(
        file, SensorConfig, role="sensor", example='id = "pump" and source = "mqtt://…"', defaults=defaults
    )
