"""Readings and events about sensors, as people see them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from click.testing import CliRunner

from tests.telemetry.makers import anomaly, forecast, span
from vss.cli.main import cli
from vss.clock import SystemClock
from vss.codecs.events import encode_event
from vss.config import RedisSettings
from vss.errors import ConfigError
from vss.metrics import Metrics
from vss.schemas.envelope import Record
from vss.schemas.events import SourceCoordinates
from vss.schemas.topics import ANOMALIES, FORECASTS, TELEMETRY, Topic
from vss.testing import make_reading
from vss.workers.record_rows import columns_of, row
from vss.workers.redis_view.writer import ViewEntry, ViewWriter

SOURCE = SourceCoordinates("vss.telemetry", 0, 9)
TODAY = date(2026, 1, 1)


def shown(topic: Topic, value: bytes | None) -> str:
    record = Record(topic.name("vss."), 0, 3, b"pump-1", value, (), 1_700_000_000_000)
    return " | ".join(row(record, columns_of(topic), today=TODAY)[3:])


def test_a_reading_shows_its_time_and_its_values() -> None:
    values = {"pressure": 1.25, "flow": None}
    assert shown(TELEMETRY, make_reading("pump-1", values=values).value) == (
        "2023-11-14T22:13:20.000 | pressure 1.25, flow -"
    )
    many = make_reading("pump-1", values={f"f{i}": float(i) for i in range(9)}).value
    assert shown(TELEMETRY, many).endswith("f3 3, 5 more")


def test_a_reading_that_is_none_says_why() -> None:
    refused = make_reading("pump-1", values={"pressure": "high"}).value  # type: ignore[dict-item]  # the point
    assert "BadReading: feature 'pressure' is a string 'high'" in shown(TELEMETRY, refused)


def test_an_anomaly_shows_how_bad_it_is_and_what_it_is_about() -> None:
    bad, good = (anomaly(span(0, 9), SOURCE, severity=severity) for severity in ("high", "none"))
    assert shown(ANOMALIES, encode_event(bad)) == "pump@2 | 0.25/0.1 | high: pressure 75%, flow 25%"
    assert shown(ANOMALIES, encode_event(good)) == "pump@2 | 0.02/0.1 | normal"


def test_a_forecast_shows_where_it_ends() -> None:
    found = shown(FORECASTS, encode_event(forecast(span(0, 9), SOURCE)))
    assert found == "next@1 | 2026-03-01T12:00:02 | pressure 1.5 (1.25 to 1.75)"


@pytest.fixture
def view(redis_settings: RedisSettings) -> Iterator[ViewWriter]:
    made = ViewWriter(redis_settings, metrics=Metrics(), clock=SystemClock())
    yield made
    made.close()


def entry(topic: Topic, event: Any) -> ViewEntry:
    record = Record(topic.name("vss."), 0, 5, b"pump-1", encode_event(event), (), time.time_ns() // 1_000_000)
    return ViewEntry(record, event.id, "pump-1")


def latest(settings: RedisSettings, *arguments: str) -> Any:
    environ = {"VSS_REDIS__URL": settings.url, "VSS_REDIS__KEY_PREFIX": settings.key_prefix}
    return CliRunner().invoke(cli, ["latest", *arguments], env=environ)


def test_the_latest_results_of_a_sensor_are_shown(view: ViewWriter, redis_settings: RedisSettings) -> None:
    event = anomaly(span(0, 9, imputed=3), SOURCE)
    view.write([entry(ANOMALIES, event), entry(FORECASTS, forecast(span(0, 9), SOURCE))])
    text = latest(redis_settings, "pump-1").stdout
    for part in (
        "10 readings until 2023-11-14T22:13:29.000000Z, 3 values stood in for",
        "pump@2, anomaly, high, score 0.25, threshold 0.1",
        "pressure          75%",
        "next@1, 2 steps until 2026-03-01T12:00:02.000000Z, 90% intervals",
        "pressure         1.5 [1.25, 1.75]",
    ):
        assert part in text
    only = latest(redis_settings, "pump-1", "--topic", "anomalies", "--json").stdout
    assert only.encode() == encode_event(event) + b"\n"


def test_a_topic_without_results_is_refused(redis_settings: RedisSettings) -> None:
    refused = latest(redis_settings, "pump-1", "--topic", "telemetry")
    assert isinstance(refused.exception, ConfigError)
    assert "anomalies" in refused.exception.fix
