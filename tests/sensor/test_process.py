"""Sensors in a process of their own, on a real Kafka."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.cluster import Cluster, metrics_port, scrape, value_of
from tests.ingest.rig import wait_until
from tests.sensor.modbus_server import ModbusServer, registers
from tests.sensor.mosquitto import Mosquitto, mosquitto_program
from vss.local.fleet import LocalFleet
from vss.local.ports import free_ports
from vss.schemas.topics import TELEMETRY
from vss.streams.topic_admin import create_topics


def cluster_at(bootstrap_servers: str) -> Cluster:
    return Cluster(bootstrap_servers, command="sensor", topic=TELEMETRY)


@pytest.fixture
def cluster(bootstrap_servers: str) -> Cluster:
    cluster = cluster_at(bootstrap_servers)
    create_topics(cluster.kafka, topics=(TELEMETRY,))
    return cluster


def readings(cluster: Cluster) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in cluster.records()]


def published(port: int, sensor: str) -> float:
    return value_of(scrape(port), f'vss_readings_published_total{{sensor="{sensor}"}}')


def test_a_real_run_reaches_kafka_whole_and_in_order(cluster: Cluster, shared_data: Path) -> None:
    file = shared_data / "telemetry" / "skab" / "valve1" / "0.csv"
    ended = cluster.run("pump", str(file), "--map", "pressure=Pressure", "--speed", "max", "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "sensor": "pump",
        "state": "finished",
        "captured": 1147,
        "published": 1147,
        "dropped": {},
        "error": None,
    }
    records = cluster.records()
    assert len({record.partition for record in records}) == 1
    assert {record.key for record in records} == {b"pump"}
    assert [int(dict(record.headers)["vss_seq"] or b"") for record in records] == list(range(1147))
    times = [reading["ts"] for reading in readings(cluster)]
    assert times == sorted(times)
    assert {tuple(reading["values"]) for reading in readings(cluster)} == {("pressure",)}


def test_many_sensors_of_one_file_are_keys_of_their_own(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "plant.csv"
    file.write_text("ts,machine,t\n" + "".join(f"{1_700_000_000 + i // 3},m{i % 3},{i}\n" for i in range(30)))
    ended = cluster.run("plant", str(file), "--sensor-column", "machine", "--speed", "max")
    assert ended.returncode == 0, ended.stderr
    assert "plant: finished, 30 readings captured, 30 published" in ended.stdout
    by_key: dict[bytes, list[float]] = {}
    for record in cluster.records():
        by_key.setdefault(record.key or b"", []).append(json.loads(record.value or b"")["values"]["t"])
    assert by_key == {b"m0": list(range(0, 30, 3)), b"m1": list(range(1, 30, 3)), b"m2": list(range(2, 30, 3))}


def test_lines_of_a_pipe(cluster: Cluster, started: list[subprocess.Popen[str]]) -> None:
    started.append(process := cluster.start("pump", "-", "--json", stdin=subprocess.PIPE))
    assert process.stdin is not None
    process.stdin.write('{"ts": "2026-03-01T12:00:00Z", "p": 1}\nnonsense\n{"ts": 1772366401000, "p": null}\n')
    process.stdin.flush()
    out, err = process.communicate(timeout=60)  # closes the pipe
    assert process.returncode == 0, err
    assert json.loads(out)["dropped"] == {"undecodable": 1}
    assert "line 2: no JSON" in err
    assert [(one["ts"], one["values"]) for one in readings(cluster)] == [
        (1_772_366_400_000, {"p": 1}),
        (1_772_366_401_000, {"p": None}),
    ]


def test_a_sensor_stops_in_time_with_everything_written(
    cluster: Cluster, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    file = tmp_path / "pump.csv"
    file.write_text("ts,n\n" + "".join(f"{1_700_000_000 + i * 0.01:.2f},{i}\n" for i in range(100)))
    started.append(process := cluster.start("pump", str(file), "--loop", "--from-now", "--json", "--metrics-port", "0"))
    port = metrics_port(process)
    wait_until(lambda: published(port, "pump") >= 150)
    assert 'vss_sensor_up{sensor="pump"} 1.0' in scrape(port)
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
    times = [reading["ts"] for reading in readings(cluster)]
    assert len(times) == report["published"] >= 150
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {10}


@pytest.mark.skipif(mosquitto_program() is None, reason="no mosquitto on this machine: apt-get install mosquitto")
def test_sensors_of_all_kinds_share_a_process_and_a_silent_pipe_does_not_hold_the_stop_up(
    cluster: Cluster, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    (tmp_path / "pump.csv").write_text("ts,n\n1700000000,1\n1700000001,2\n")
    with Mosquitto(folder) as broker, ModbusServer([registers(0, 42)]) as device:
        file = tmp_path / "sensors.toml"
        file.write_text(
            f'[[sensor]]\nid = "absent"\nsource = "{tmp_path}/absent.csv"\n'
            f'[[sensor]]\nid = "file"\nsource = "{tmp_path}/pump.csv"\nspeed = "max"\n'
            f'[[sensor]]\nid = "pipe"\nsource = "-"\n'
            f'[[sensor]]\nid = "mqtt"\nsource = "mqtt://127.0.0.1:{broker.port}/a/#"\n'
            'sensor_from_topic = "a/{sensor}/{feature}"\n'
            f'[[sensor]]\nid = "modbus"\nsource = "modbus://127.0.0.1:{device.port}/1"\nperiod_ms = 50\n'
            '[[sensor.registers]]\nname = "level"\naddress = 0\n'
        )
        started.append(
            process := cluster.start("--config", str(file), "--json", "--metrics-port", "0", stdin=subprocess.PIPE)
        )
        port = metrics_port(process)
        wait_until(lambda: value_of(scrape(port), 'vss_sensor_up{sensor="mqtt"}') == 1)
        broker.publish([("a/pump-9/t", b"21.5")])
        wait_until(lambda: published(port, "mqtt") == 1)
        wait_until(lambda: published(port, "modbus") >= 5)
        wait_until(lambda: published(port, "file") == 2)
        start_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert time.monotonic() - start_s < 10
        out, err = process.communicate(timeout=30)
    assert process.returncode == 2, err  # the absent file
    reports = {report["sensor"]: report for report in map(json.loads, out.splitlines())}
    assert {name: report["state"] for name, report in reports.items()} == {
        "absent": "failed",
        "file": "finished",
        "pipe": "finished",
        "mqtt": "finished",
        "modbus": "finished",
    }
    found = readings(cluster)
    assert [one["values"] for one in found if one["sensor_id"] == "pump-9"] == [{"t": 21.5}]
    levels = [one["values"] for one in found if one["sensor_id"] == "modbus"]
    assert len(levels) == reports["modbus"]["published"]
    assert levels[0] == {"level": 42}


@pytest.mark.skipif(mosquitto_program() is None, reason="no mosquitto on this machine: apt-get install mosquitto")
def test_the_password_is_never_shown(cluster: Cluster, tmp_path: Path, started: list[subprocess.Popen[str]]) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "reader", "hunter2"], check=True, capture_output=True)
    with Mosquitto(tmp_path, ["allow_anonymous false", f"password_file {passwords}"]) as broker:
        started.append(
            process := cluster.start(
                "pump",
                f"mqtt://reader@127.0.0.1:{broker.port}/a",
                "--metrics-port",
                "0",
                VSS_MQTT_PASSWORD="hunter2",  # noqa: S106 - of the broker above
            )
        )
        port = metrics_port(process)
        wait_until(lambda: value_of(scrape(port), "vss_sensor_up") == 1)
        broker.publish([("a", b"1")], user=("reader", "hunter2"))
        wait_until(lambda: published(port, "pump") == 1)
        broker.stop()
        wait_until(lambda: value_of(scrape(port), "vss_sensor_up") == 0)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "dropped; trying again" in err
    assert "hunter2" not in out + err


@pytest.mark.skipif(mosquitto_program() is None, reason="no mosquitto on this machine: apt-get install mosquitto")
def test_a_file_waits_for_a_broker_that_is_away_and_a_live_sensor_sheds(
    tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    table = tmp_path / "pump.csv"
    table.write_text("ts,n\n" + "".join(f"{1_700_000_000 + i * 0.04:.2f},{i}\n" for i in range(100)))  # four seconds
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    with LocalFleet(tmp_path / "fleet") as fleet, Mosquitto(folder) as broker:
        cluster = cluster_at(fleet.addresses.bootstrap_servers)
        create_topics(cluster.kafka, topics=(TELEMETRY,))
        file = tmp_path / "sensors.toml"
        file.write_text(
            f'[[sensor]]\nid = "live"\nsource = "mqtt://127.0.0.1:{broker.port}/a"\n'
            f'[[sensor]]\nid = "file"\nsource = "{table}"\nbuffer = 10\n'
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
        wait_until(lambda: value_of(scrape(port), 'vss_sensor_up{sensor="live"}') == 1)
        wait_until(lambda: published(port, "file") >= 5)
        fleet.kill_broker()

        def lost() -> float:
            return sum(
                value_of(scrape(port), f'vss_readings_dropped_total{{reason="{reason}",sensor="live"}}')
                for reason in ("queue_full", "broker_away", "buffer_full")
            )

        sent = 0
        while lost() <= 5:
            broker.publish([("a", b'{"n": %d}' % number) for number in range(sent, sent + 20)])
            sent += 20
        assert value_of(scrape(port), 'vss_readings_captured_total{sensor="file"}') < 100
        fleet.restart_broker()
        wait_until(lambda: published(port, "file") == 100, 90)
        before = published(port, "live")
        broker.publish([("a", b'{"n": -1}')])
        wait_until(lambda: published(port, "live") > before)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        live, file_report = (json.loads(line) for line in out.splitlines())
        assert file_report["dropped"] == {}
        assert live["captured"] == sent + 1
        assert live["published"] + sum(live["dropped"].values()) == live["captured"]
        found = readings(cluster)
        assert [one["values"]["n"] for one in found if one["sensor_id"] == "file"] == list(range(100))
        numbers = [one["values"]["n"] for one in found if one["sensor_id"] == "live"]
        assert numbers[-1] == -1
        assert numbers[:-1] == sorted(set(numbers[:-1]))


@pytest.mark.parametrize(
    ("arguments", "says", "fix"),
    [
        (["pump", "absent.csv"], "absent.csv", "name a CSV file"),
        (["pump"], "ID and SOURCE", "vss sensor pump"),
        (["no spaces", "absent.csv"], "cannot be a key", "letters"),
        (["pump", "mqtt://broker/a", "--loop"], "--loop", "leave --loop out"),
        (["pump", "mqtt://a:hunter2@broker/a"], "holds a password", "--password-file"),
        (["pump", "modbus://broker", "--register", "level"], "'level' is no pair", "--register pressure=0:float32"),
        (["pump", "modbus://broker", "--register", "level=0:int17"], "registers.0.type", "fitting value"),
        (["--config", "absent.toml"], "absent.toml", "[[sensor]]"),
    ],
)
def test_what_cannot_work_is_one_line_with_the_fix(cluster: Cluster, arguments: list[str], says: str, fix: str) -> None:
    ended = cluster.run(*arguments)
    assert ended.returncode == 2
    error, *more = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert error.startswith("error: ")
    assert says in error
    assert len(more) == 1
    assert more[0].startswith("fix:")
    assert fix in more[0]
    assert "hunter2" not in ended.stderr


def test_a_wrong_column_is_one_line_with_the_nearest(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "pump.csv"
    file.write_text("ts,pressure\n1700000000,1\n")
    ended = cluster.run("pump", str(file), "--features", "presure")
    assert ended.returncode == 2
    assert f"error: {file} has no column 'presure'" in ended.stderr
    assert "fix:   did you mean --features 'pressure'?" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_topic_names_the_command_that_makes_it(bootstrap_servers: str, tmp_path: Path) -> None:
    (tmp_path / "pump.csv").write_text("ts,n\n1700000000,1\n")
    ended = cluster_at(bootstrap_servers).run("pump", str(tmp_path / "pump.csv"))
    assert ended.returncode == 2
    assert "fix:   create the topics: vss topics create" in ended.stderr


def test_no_broker_is_one_line_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "pump.csv").write_text("ts,n\n1700000000,1\n")
    ended = cluster_at(f"127.0.0.1:{free_ports(1, random.Random())[0]}").run("pump", str(tmp_path / "pump.csv"))
    assert ended.returncode == 1
    assert "error: no Kafka broker at 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr
