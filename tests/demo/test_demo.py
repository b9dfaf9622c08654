"""`vss demo` from nothing to nothing, as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import psutil
import pytest

from vss.demo.pump.verdict import ENOUGH_S
from vss.demo.run import CAMERAS, WORKERS
from vss.demo.scene.clips import encode_clip

pytestmark = pytest.mark.timeout(300)
START_S = 150.0


@dataclass
class Running:
    """A demo under way."""

    process: subprocess.Popen[str]
    out: Path
    descendants: set[psutil.Process] = field(default_factory=set)

    def finish(self, timeout_s: float = 200.0) -> tuple[int, str, str]:
        """Waits for its end; remembers every process it ever had."""
        deadline_s = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline_s, "the demo does not end"
            self.look()
            time.sleep(0.05)
        output, _ = self.process.communicate()
        return self.process.returncode, output, self.errors()

    def look(self) -> None:
        """Remembers its processes of now."""
        try:
            self.descendants |= set(psutil.Process(self.process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return

    def wait_until(self, reached: Callable[[], bool], timeout_s: float = START_S) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not reached():
            assert self.process.poll() is None, self.errors()
            assert time.monotonic() < deadline_s
            self.look()
            time.sleep(0.05)

    def errors(self) -> str:
        """What it has said so far."""
        return (self.out.parent / "errors").read_text()

    def log(self, name: str) -> str:
        path = self.out / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def workers(self) -> list[int]:
        """The processes that detect, without those that watch over them."""
        return [
            child.pid
            for child in psutil.Process(self.process.pid).children(recursive=True)
            if "leash.py" not in " ".join(child.cmdline()) and "detect" in child.cmdline()
        ]

    def of(self, command: str) -> int:
        """The process of a worker, without the one that watches over it."""
        return next(
            int(child.pid)
            for child in psutil.Process(self.process.pid).children(recursive=True)
            if "leash.py" not in " ".join(child.cmdline()) and command in child.cmdline()
        )

    def left(self, within_s: float = 5.0) -> list[psutil.Process]:
        """Processes of it that live on; one that was given a dead one's pid is not taken for it.

        Python's own tracker of shared resources ends when it sees its parent gone, a moment after it.
        """
        deadline_s = time.monotonic() + within_s
        while (alive := [process for process in self.descendants if _alive(process)]) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        return alive


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def run(*arguments: str, environ: dict[str, str] | None = None) -> Running:
        out = tmp_path / "out"
        command = [sys.executable, "-c", "from vss.cli.main import main; main()", "demo", "--out", str(out), *arguments]
        with (tmp_path / "errors").open("w") as errors:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=tmp_path,
                env=os.environ | (environ or {}),
            )
        started.append(Running(process, out))
        return started[-1]

    yield run
    for demo in started:
        if demo.process.poll() is None:
            demo.process.kill()
        demo.process.wait()
        if demo.process.stdout is not None:
            demo.process.stdout.close()


def test_a_demo_gives_every_frame_one_event_and_leaves_pictures_but_no_process(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    # What the user has set for another cluster must not reach the demo.
    (tmp_path / "vss.toml").write_text('[kafka]\ntopic_prefix = "mine."\nproperties = {"security.protocol" = "ssl"}\n')
    # What is set for models of pictures must not reach the pump's, nor what is set for windows.
    environ = {"VSS_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "VSS_MODEL__TOP_K": "3", "VSS_WINDOWS__STRIDE": "40"}
    demo = start("--for", "8", "--json", environ=environ)
    code, output, errors = demo.finish()
    assert code == 0, errors
    summary = json.loads(output)
    assert summary["holds"] is True
    assert summary["problems"] == []
    assert summary["frames"] == summary["events"] > 10
    assert summary["missing"] == summary["doubled"] == summary["dead_letters"] == summary["shed"] == 0
    assert 0 < summary["capture_to_event_ms"]["p50"] <= summary["capture_to_event_ms"]["p95"]
    # Each worker has had its share, and together they have had all.
    assert [worker["name"] for worker in summary["workers"]] == list(WORKERS)
    assert min(worker["frames"] for worker in summary["workers"]) > 0
    assert sum(worker["frames"] for worker in summary["workers"]) == summary["frames"]
    assert summary["cameras"] == list(CAMERAS)
    assert set(summary["objects"]) == {"gear", "bolt", "nut", "bracket", "washer"}
    assert "running:" in errors
    # The pump's fault starts where it should, is flagged, and nothing was before it; every reading has its outcome.
    pump = summary["pump"]
    assert pump["judged"] is pump["every_reading_has_one_outcome"] is True
    assert pump["fault_at_s"] == pytest.approx(0.55 * 8, abs=0.2)
    assert 0 < pump["flagged_after_s"] <= ENOUGH_S
    assert pump["flagged_after_s"] < pump["seen_after_s"]
    assert max(pump["affected"], key=pump["affected"].get) == "vibration"
    assert pump["false_alarms"] == 0
    assert pump["readings"] == pump["anomaly_events"] + pump["taken"] > 80
    assert pump["left_out"] == 0
    chart = cv2.imread(summary["pump_picture"])
    assert chart is not None
    assert chart.shape[1] == 1280
    assert not (demo.out / "pump.pipe").exists()
    # The picture is one, and the clip shows both cameras beside each other.
    picture = cv2.imread(summary["picture"])
    assert picture is not None
    assert picture.shape == (768, 1280, 3)
    with av.open(summary["clip"]) as clip:
        frames = list(clip.decode(video=0))
    assert len(frames) > 5
    assert frames[0].width == 1280
    # Nothing runs any more, and the servers' data is gone.
    assert len(demo.descendants) >= 9
    assert demo.left() == []
    assert not list((demo.out / "servers").glob("kafka")) + list((demo.out / "servers").glob("redis"))


@pytest.mark.slow
def test_a_demo_shows_ones_own_video_and_model(start: Callable[..., Running], tmp_path: Path) -> None:
    video = tmp_path / "mine.mp4"
    encode_clip(video, seed=21, seconds=2.0, fps=10)
    model = tmp_path / "parts.onnx"
    model.write_bytes((Path(__file__).parents[2] / "vss" / "demo" / "conveyor.onnx").read_bytes())
    demo = start("--for", "3", "--video", "mine.mp4", "--model", "parts.onnx", "--fps", "4")
    code, output, errors = demo.finish()
    assert code == 0, errors
    assert "Every frame has exactly one outcome." in output
    assert "Every reading has exactly one outcome." in output
    assert "parts@" in output
    assert str(video) in " ".join(demo.log(camera) for camera in CAMERAS)
    assert demo.left() == []


@pytest.mark.slow
def test_a_demo_keeps_its_word_on_real_videos_with_a_larger_model(
    start: Callable[..., Running], shared_data: Path
) -> None:
    video, model = shared_data / "video" / "car-detection.mp4", shared_data / "models" / "yolov8n.onnx"
    demo = start("--for", "6", "--json", "--video", str(video), "--model", str(model))
    code, output, errors = demo.finish()
    assert code == 0, errors
    summary = json.loads(output)
    assert summary["frames"] == summary["events"] > 5
    assert summary["model"].startswith("yolov8n@")


def test_a_demo_whose_workers_die_says_so_and_fails(start: Callable[..., Running]) -> None:
    demo = start("--for", "60", "--json", "--drain", "5")
    demo.wait_until(lambda: _frames_flow(demo))
    for pid in demo.workers():
        os.kill(pid, signal.SIGKILL)
    code, output, errors = demo.finish()
    assert code == 1
    summary = json.loads(output)
    assert summary["holds"] is False
    assert "worker-1 ended before its time" in errors
    assert "worker-2 ended before its time" in errors
    assert "Traceback" not in errors
    assert demo.left() == []


@pytest.mark.slow
def test_a_demo_whose_detector_of_anomalies_dies_says_so_and_fails(start: Callable[..., Running]) -> None:
    demo = start("--for", "8", "--json")
    demo.wait_until(lambda: _frames_flow(demo))
    os.kill(demo.of("anomaly"), signal.SIGKILL)
    code, output, errors = demo.finish()
    assert code == 1
    summary = json.loads(output)
    assert summary["every_frame_has_one_outcome"] is True
    assert summary["pump"]["every_reading_has_one_outcome"] is False
    assert "anomaly ended before its time" in errors
    assert "the bearing's fault at 4.4 s was not flagged" in errors
    assert demo.left() == []


@pytest.mark.slow
def test_ctrl_c_ends_a_demo_early_with_its_summary(start: Callable[..., Running]) -> None:
    demo = start("--for", "300", "--json")
    demo.wait_until(lambda: _frames_flow(demo))
    demo.process.send_signal(signal.SIGINT)
    code, output, errors = demo.finish()
    assert code == 0, errors
    summary = json.loads(output)
    assert summary["seconds"] < 200
    assert summary["frames"] == summary["events"]
    assert demo.left() == []


def test_ctrl_c_while_the_servers_start_ends_a_demo_without_a_word_of_failure(start: Callable[..., Running]) -> None:
    demo = start("--for", "300", "--json")
    demo.wait_until(lambda: "starting Kafka" in demo.errors())
    demo.process.send_signal(signal.SIGINT)
    code, output, errors = demo.finish()
    assert code == 130, errors
    assert output == ""
    assert "error" not in errors
    assert demo.left() == []


@pytest.mark.slow
def test_nothing_outlives_a_demo_that_is_killed(start: Callable[..., Running]) -> None:
    demo = start("--for", "300", "--json")
    demo.wait_until(lambda: _frames_flow(demo))
    demo.look()
    demo.process.kill()
    assert demo.left(within_s=40.0) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--video", "no-such.mp4"), "no such file"),
        (("--model", "no-such.onnx"), "no-such.onnx"),
    ],
)
def test_what_cannot_work_is_said_in_one_line_with_its_fix(
    start: Callable[..., Running], arguments: tuple[str, str], said: str
) -> None:
    demo = start(*arguments)
    code, _, errors = demo.finish()
    assert code == 2
    assert said in errors
    assert "fix:" in errors
    assert "Traceback" not in errors
    assert demo.left() == []


def _frames_flow(demo: Running) -> bool:
    return "running:" in demo.errors()


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
