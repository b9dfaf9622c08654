"""The benches run a real worker on a real Kafka."""

from pathlib import Path

import pytest

from tests.bench.bench_command import run
from vss.bench.frames import make_jpegs
from vss.errors import SourceUnreadable


def test_both_sides_are_measured_and_every_event_is_read_back(bootstrap_servers: str, model: Path) -> None:
    report = run("detect", "--model", model, "--frames", 48, "--bootstrap-servers", bootstrap_servers)
    worker, raw = report["worker"], report["raw"]
    assert isinstance(worker, dict)
    assert isinstance(raw, dict)
    # One warm-up and five rounds.
    assert worker["committed_events"] == 6 * 48
    assert isinstance(report["rounds"], list)
    assert len(report["rounds"]) == 5
    # A model of a few bytes costs far less than a worker: the ratio must see it.
    assert isinstance(report["cpu_ratio"], float)
    assert 0 < report["cpu_ratio"] < 0.5
    assert raw["cpu_ms_a_frame"] < worker["cpu_ms_a_frame"]
    stages = report["stage_ms_a_frame"]
    assert isinstance(stages, dict)
    assert {"headers", "decode", "prepare", "inference", "postprocess", "encode", "transaction"} <= stages.keys()


def test_memory_is_sampled_to_the_last_event(bootstrap_servers: str, model: Path) -> None:
    report = run("memory", "--model", model, "--frames", 700, "--bootstrap-servers", bootstrap_servers)
    assert report["frames"] == 700
    assert isinstance(report["resident_bytes"], int)
    assert report["resident_bytes"] > 10_000_000
    assert isinstance(report["drift_since_500"], float)


def test_frames_of_a_video_are_scaled_to_the_size(shared_data: Path) -> None:
    jpegs = make_jpegs(shared_data / "video" / "car-detection.mp4", (320, 180))
    assert len(set(jpegs)) == len(jpegs) > 30


@pytest.mark.parametrize("content", [None, b"no video"])
def test_a_video_that_does_not_open_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "clip.mp4"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SourceUnreadable, match=r"clip\.mp4"):
        make_jpegs(file, (320, 180))
