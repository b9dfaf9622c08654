from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from tests.camera.clips import make_clip
from tests.camera.cluster import CameraCluster
from tests.camera.mjpeg_server import MjpegServer
from tests.ingest.cluster import metrics_port, scrape, value_of
from tests.ingest.rig import wait_until
from vss.codecs.headers import decode_frame_header
from vss.local.fleet import LocalFleet
from vss.schemas.topics import FRAMES
from vss.streams.topic_admin import create_topics


def dropped(metrics: str, camera: str, reason: str) -> float:
    return value_of(metrics, f'vss_frames_dropped_total{{camera="{camera}",reason="{reason}"}}')


def test_a_file_waits_for_a_broker_that_is_away_and_a_live_camera_sheds(
    tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=100)  # four seconds
    with LocalFleet(tmp_path / "fleet") as fleet, MjpegServer() as server:
        cluster = CameraCluster(fleet.addresses.bootstrap_servers)
        create_topics(cluster.kafka, topics=(FRAMES,))
        file = tmp_path / "cameras.toml"
        file.write_text(
            f'[[camera]]\nid = "live"\nsource = "{server.url}"\n[[camera]]\nid = "file"\nsource = "{clip}"\n'
        )
        settings = tmp_path / "vss.toml"
        # Small, so that the outage is felt within the test's patience.
        settings.write_text('[kafka.properties]\n"queue.buffering.max.messages" = 20\n"message.timeout.ms" = 2000\n')
        started.append(
            process := cluster.start(
                "--config", str(file), "--settings", str(settings), "--json", "--metrics-port", "0"
            )
        )
        port = metrics_port(process)
        wait_until(lambda: value_of(scrape(port), 'vss_frames_published_total{camera="file"}') >= 5)
        fleet.kill_broker()
        wait_until(
            lambda: dropped(scrape(port), "live", "queue_full") + dropped(scrape(port), "live", "broker_away") > 5
        )
        assert value_of(scrape(port), 'vss_frames_captured_total{camera="file"}') < 100
        fleet.restart_broker()
        wait_until(lambda: value_of(scrape(port), 'vss_frames_published_total{camera="file"}') == 100, 90)
        live_before = value_of(scrape(port), 'vss_frames_published_total{camera="live"}')
        wait_until(lambda: value_of(scrape(port), 'vss_frames_published_total{camera="live"}') > live_before)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        live, file_report = (json.loads(line) for line in out.splitlines())
        assert file_report["dropped"] == {}
        assert live["published"] + sum(live["dropped"].values()) == live["captured"]
        by_camera: dict[str, list[int]] = {"live": [], "file": []}
        for header in map(decode_frame_header, cluster.records()):
            by_camera[header.camera_id].append(header.seq or 0)
        assert by_camera["file"] == list(range(100))
        assert by_camera["live"] == sorted(set(by_camera["live"]))
        assert len(by_camera["live"]) >= live["published"]
