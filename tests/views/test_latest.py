from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from tests.views.makers import classification, detection, detection_record
from vss.cli.main import cli
from vss.clock import SystemClock
from vss.codecs.events import encode_event
from vss.config import RedisSettings
from vss.errors import CacheUnavailable, VssError
from vss.metrics import Metrics
from vss.schemas.envelope import Record
from vss.workers.redis_view.writer import ViewEntry, ViewWriter


@pytest.fixture
def writer(redis_settings: RedisSettings) -> Iterator[ViewWriter]:
    made = ViewWriter(redis_settings, metrics=Metrics(), clock=SystemClock())
    yield made
    made.close()


def latest(settings: RedisSettings, *arguments: str) -> Result:
    environ = {"VSS_REDIS__URL": settings.url, "VSS_REDIS__KEY_PREFIX": settings.key_prefix}
    return CliRunner().invoke(cli, ["latest", *arguments], env=environ)


def entry(seq: int, camera: str) -> ViewEntry:
    record = detection_record(seq, camera=camera, timestamp_ms=time.time_ns() // 1_000_000)
    return ViewEntry(record, detection(seq, camera=camera).id, camera)


def test_the_newest_event_of_a_camera_is_printed_as_it_stands(
    writer: ViewWriter, redis_settings: RedisSettings
) -> None:
    newest = entry(2, "gate")
    writer.write([entry(1, "gate"), newest, entry(9, "yard")])
    result = latest(redis_settings, "gate", "--json")
    assert result.exit_code == 0
    assert result.stdout.encode() == (newest.record.value or b"") + b"\n"
    shown = latest(redis_settings, "gate")
    assert "bottle" in shown.stdout
    assert "75%" in shown.stdout


def test_without_a_camera_all_are_shown(writer: ViewWriter, redis_settings: RedisSettings) -> None:
    writer.write([entry(1, "gate"), entry(9, "yard")])
    lines = [json.loads(line) for line in latest(redis_settings, "--json").stdout.splitlines()]
    assert [(line["camera_id"], line["seq"]) for line in lines] == [("gate", 1), ("yard", 9)]


def test_each_kind_of_result_is_shown(writer: ViewWriter, redis_settings: RedisSettings) -> None:
    seen = classification(5, of_object=2)
    record = Record("vss.classifications", 0, 5, b"gate", encode_event(seen), (), time.time_ns() // 1_000_000)
    writer.write([entry(1, "gate"), ViewEntry(record, seen.id, "gate")])
    shown = latest(redis_settings, "gate").stdout
    assert shown.index("1 objects") < shown.index("material@2, 768x432, object 2 of the frame")
    assert "glass" in shown
    only = latest(redis_settings, "--topic", "classifications", "--json").stdout
    assert [json.loads(line)["id"] for line in only.splitlines()] == [seen.id]


def test_a_camera_without_results_is_an_error_with_the_fix(redis_settings: RedisSettings) -> None:
    result = latest(redis_settings, "gate")
    assert result.exit_code == 1
    assert isinstance(result.exception, VssError)
    assert "vss worker cache" in result.exception.fix


def test_without_redis_there_is_one_error_with_the_fix(redis_settings: RedisSettings) -> None:
    result = latest(redis_settings.model_copy(update={"url": "redis://127.0.0.1:1"}), "gate")
    assert isinstance(result.exception, CacheUnavailable)
    assert result.exception.fix
