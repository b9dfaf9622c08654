"""The bench of swaps: it counts what a reader finds, and sees what is wrong."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.model_store.tiny_model import write_tiny_yolov8
from vss.bench.swap import bench_swap
from vss.bench.swap_report import Committed, Swap, SwapBench, Swapped, _follows
from vss.cli.bench.group import bench
from vss.codecs.images import encode_image
from vss.config import KafkaSettings, ModelSettings, Settings
from vss.errors import StreamError
from vss.model_store.resolve import resolve_model
from vss.testing import make_image


@pytest.fixture
def settings(bootstrap_servers: str) -> Settings:
    kafka = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"{uuid.uuid4().hex}.")
    return Settings(kafka=kafka, model=ModelSettings(threads=1))


def test_a_swap_under_load_is_measured_and_every_event_read_back(settings: Settings, tmp_path: Path) -> None:
    ref = resolve_model(str(write_tiny_yolov8(tmp_path / "tiny.onnx")), settings.model)
    jpegs = [encode_image(make_image(64, 64, seed=i), "jpeg") for i in range(4)]
    report = bench_swap(settings, ref, jpegs, frames=5000, swaps=1)
    assert (report.frames, report.events, report.lost, report.doubled, report.went_back) == (5000, 5000, 0, 0, 0)
    assert set(report.versions) == {"1", "2"}
    assert sum(report.versions.values()) == 5000
    [swap] = report.swaps
    assert swap.version == "1"
    assert swap.longest_gap_s > 0
    assert swap.beside_s > 0


def test_a_backlog_that_is_too_short_is_told_of(settings: Settings, tmp_path: Path) -> None:
    ref = resolve_model(str(write_tiny_yolov8(tmp_path / "tiny.onnx")), settings.model)
    jpegs = [encode_image(make_image(64, 64, seed=0), "jpeg")]
    with pytest.raises(StreamError, match="0 of 3 swaps"):
        bench_swap(settings, ref, jpegs, frames=64, swaps=3)


def test_what_breaks_the_promise_is_seen() -> None:
    assert _follows([(2, "1"), (0, "2"), (1, "2")], ["2", "1"])
    assert _follows([(0, "1"), (1, "2")], ["2", "1", "2"])
    assert not _follows([(0, "2"), (1, "1"), (2, "2")], ["2", "1"])
    swap = Swapped("1", 10.0, 11.0)
    before, during, after = (Committed(at_s, {}) for at_s in (9.0, 10.5, 12.0))
    assert swap.touches(before, during)
    assert swap.touches(during, after)
    assert not swap.touches(after, Committed(13.0, {}))
    report = SwapBench("m", 2, 2, 0, 0, 0, {}, (Swap("1", 0.5, 0.3), Swap("2", 0.5, 0.5)), 32, 0.25, 0.3, 100)
    assert report.pause_s == pytest.approx(0.15)
    assert report.worst_pause_s == pytest.approx(0.25)
    assert report.holds
    assert not SwapBench("m", 2, 1, 1, 0, 0, {}, report.swaps, 32, 0.25, 0.3, 100).holds


def test_the_command_explains_itself() -> None:
    shown = CliRunner().invoke(bench, ["swap", "--help"]).output
    assert "full load" in shown
