"""Cameras in a process of their own, on a real Kafka."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.camera.cluster import CameraCluster
from tests.camera.mjpeg_server import MjpegServer
from tests.ingest.cluster import metrics_port, scrape, value_of
from tests.ingest.rig import wait_until
from vss.codecs.headers import decode_frame_header
from vss.local.ports import free_ports
from vss.schemas.topics import FRAMES
from vss.streams.topic_admin import create_topics


@pytest.fixture
def cluster(bootstrap_servers: str) -> CameraCluster:
    cluster = CameraCluster(bootstrap_servers)
    create_topics(cluster.kafka, topics=(FRAMES,))
    return cluster


def test_a_file_reaches_kafka_whole_and_in_order(cluster: CameraCluster, clip: Path) -> None:
    ended = cluster.run("gate", str(clip), "--as-fast-as-possible", "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "camera": "gate",
        "state": "finished",
        "captured": 20,
        "published": 20,
        "dropped": {},
        "error": None,
    }
    records = cluster.records()
    headers = [decode_frame_header(record) for record in records]
    assert len({record.partition for record in records}) == 1
    assert [header.seq for header in headers] == list(range(20))
    assert {header.camera_id for header in headers} == {"gate"}
    assert all((record.value or b"").startswith(b"\xff\xd8") for record in records)


def test_a_camera_stops_in_time_with_everything_written(
    cluster: CameraCluster, clip: Path, started: list[subprocess.Popen[str]]
) -> None:
    started.append(process := cluster.start("gate", str(clip), "--loop", "--json", "--metrics-port", "0"))
    port = metrics_port(process)
    wait_until(lambda: value_of(scrape(port), "vss_frames_published_total") >= 5)
    assert 'vss_camera_up{camera="gate"} 1.0' in scrape(port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
        assert answer.status == 200
    start_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - start_s < 10
    assert process.returncode == 0, err
    report = json.loads(out)
    assert report["state"] == "finished"
    assert report["published"] + sum(report["dropped"].values()) == report["captured"]
    assert len(cluster.records()) == report["published"] >= 5


def test_a_camera_that_fails_does_not_end_the_others(cluster: CameraCluster, clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    file = tmp_path / "cameras.toml"
    file.write_text(
        f'[[camera]]\nid = "absent"\nsource = "{tmp_path}/absent.mp4"\n'
        f'[[camera]]\nid = "broken"\nsource = "{broken}"\n'
        f'[[camera]]\nid = "one"\nsource = "{clip}"\n'
        f'[[camera]]\nid = "two"\nsource = "{clip}"\nwidth = 48\n'
    )
    ended = cluster.run("--config", str(file), "--as-fast-as-possible", "--json")
    assert ended.returncode == 2
    reports = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(report["camera"], report["state"], report["published"]) for report in reports] == [
        ("absent", "failed", 0),
        ("broken", "failed", 0),
        ("one", "finished", 20),
        ("two", "finished", 20),
    ]
    sizes = {(header.camera_id, header.width) for header in map(decode_frame_header, cluster.records())}
    assert sizes == {("one", 96), ("two", 48)}


def test_a_live_camera_and_a_file_share_a_process(
    cluster: CameraCluster, clip: Path, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    with MjpegServer() as server:
        file = tmp_path / "cameras.toml"
        file.write_text(
            f'[[camera]]\nid = "live"\nsource = "{server.url}"\n'
            f'[[camera]]\nid = "file"\nsource = "{clip}"\nas_fast_as_possible = true\n'
        )
        started.append(process := cluster.start("--config", str(file), "--json", "--metrics-port", "0"))
        port = metrics_port(process)
        wait_until(lambda: value_of(scrape(port), 'vss_frames_published_total{camera="live"}') >= 10)
        wait_until(lambda: value_of(scrape(port), 'vss_frames_published_total{camera="file"}') == 20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "hunter2" not in out + err
    live, file_report = (json.loads(line) for line in out.splitlines())
    assert live["published"] + sum(live["dropped"].values()) == live["captured"]
    assert file_report["published"] == 20


@pytest.mark.parametrize(
    ("arguments", "says", "fix"),
    [
        (["gate", "absent.mp4"], "absent.mp4", "name a video file"),
        (["gate"], "ID and SOURCE", "vss camera gate"),
        (["no spaces", "absent.mp4"], "cannot be a key", "letters"),
        (["gate", "rtsp://10.0.0.5/s", "--loop"], "--loop", "leave loop out"),
        (["--config", "absent.toml"], "absent.toml", "[[camera]]"),
    ],
)
def test_what_cannot_work_is_one_line_with_the_fix(
    cluster: CameraCluster, arguments: list[str], says: str, fix: str
) -> None:
    ended = cluster.run(*arguments)
    assert ended.returncode == 2
    error, *more = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert error.startswith("error: ")
    assert says in error
    assert len(more) == 1
    assert more[0].startswith("fix:")
    assert fix in more[0]


def test_cameras_that_all_fail_say_so_each(cluster: CameraCluster, tmp_path: Path) -> None:
    file = tmp_path / "cameras.toml"
    file.write_text('[[camera]]\nid = "a"\nsource = "no.mp4"\n[[camera]]\nid = "b"\nsource = "no/folder"\n')
    ended = cluster.run("--config", str(file))
    assert ended.returncode == 2
    assert [line.split(":")[0] for line in ended.stdout.splitlines()] == ["a", "b"]
    assert "no.mp4" in ended.stderr
    assert "no/folder" in ended.stderr


def test_an_unreadable_file_is_one_line_with_the_fix(cluster: CameraCluster, tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"no video")
    ended = cluster.run("gate", str(file))
    assert ended.returncode == 2
    assert f"error: {file} cannot be read" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_topic_names_the_command_that_makes_it(bootstrap_servers: str, clip: Path) -> None:
    ended = CameraCluster(bootstrap_servers).run("gate", str(clip))
    assert ended.returncode == 2
    assert "fix:   create the topics: vss topics create" in ended.stderr


def test_no_broker_is_one_line_with_the_fix_in_ten_seconds(clip: Path) -> None:
    start_s = time.monotonic()
    ended = CameraCluster(f"127.0.0.1:{free_ports(1, random.Random())[0]}").run("gate", str(clip))
    assert time.monotonic() - start_s < 20  # 8 of them for the broker, the rest for a busy machine
    assert ended.returncode == 1
    assert "error: no Kafka broker at 127.0.0.1" in ended.stderr
    assert "vss up" in ended.stderr
    assert "Traceback" not in ended.stderr
