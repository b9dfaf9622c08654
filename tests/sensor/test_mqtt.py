"""Readings of a real broker."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.typing import EventDict

from tests.ingest.rig import wait_until
from tests.sensor.mosquitto import Mosquitto, make_certificates, mosquitto_program
from tests.sensor.rig import SensorRig
from vss.errors import ConfigError, SourceUnavailable
from vss.workers.ingest.status import State
from vss.workers.sensor.sample import Sample, Stream
from vss.workers.sensor.sensor import Sensor

needs_mosquitto = pytest.mark.skipif(
    mosquitto_program() is None, reason="no mosquitto on this machine: apt-get install mosquitto"
)
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make certificates with")


def up(sensor: Sensor) -> Callable[[], bool]:
    return lambda: sensor.report().state is State.UP


def numbered(topic: str, numbers: range) -> list[tuple[str, bytes]]:
    return [(topic, json.dumps({"ts": 1_700_000_000_000 + i * 1000, "n": i}).encode()) for i in numbers]


def values(rig: SensorRig, name: str) -> list[float]:
    return [reading["values"][name] for reading in rig.readings()]


def test_json_and_plain_numbers_become_readings_of_the_sensor_their_topic_names(
    rig: SensorRig, mosquitto: Mosquitto
) -> None:
    sensor = rig.sensor(
        f"mqtt://127.0.0.1:{mosquitto.port}/one/#", sensor_from_topic="one/{sensor}/{feature}", timeout_s=5
    )
    sensor.start()
    wait_until(up(sensor))
    mosquitto.publish(
        [
            ("one/pump-1/pressure", b"1.25"),
            ("one/pump-2/all", b'{"time": "2026-03-01T12:00:00Z", "pressure": 2, "unit": "bar"}'),
            ("one/pump-3/all", b'{"sensor_id": "other", "ts": 1772366400000, "values": {"t": null}}'),
            ("one/pump-4/temperature", b"NaN"),
            ("one/deeper/than/the-pattern", b"1"),
            ("one/pump-1/pressure", b"off"),
        ]
    )
    wait_until(lambda: rig.metric("vss_readings_captured_total") == 6)
    rig.stop(sensor)
    first, second, third, fourth = rig.readings()
    assert (first["sensor_id"], first["values"]) == ("pump-1", {"pressure": 1.25})
    assert abs(first["ts"] - rig.clock.now_ns() / 1e6) < 60_000
    assert second == {"sensor_id": "pump-2", "ts": 1_772_366_400_000, "values": {"pressure": 2}}
    assert third == {"sensor_id": "pump-3", "ts": 1_772_366_400_000, "values": {"t": None}}
    assert (fourth["sensor_id"], fourth["values"]) == ("pump-4", {"temperature": None})
    assert [record.key for record in rig.records()] == [b"pump-1", b"pump-2", b"pump-3", b"pump-4"]
    assert rig.metric("vss_readings_dropped_total", reason="undecodable") == 2


def test_what_the_broker_had_kept_is_no_reading_of_now(rig: SensorRig, mosquitto: Mosquitto) -> None:
    mosquitto.publish([("kept/plain", b"1"), ("kept/timed", b'{"ts": 1700000000000, "n": 2}')], retain=True)
    sensor = rig.sensor(f"mqtt://127.0.0.1:{mosquitto.port}/kept/#")
    sensor.start()
    wait_until(lambda: rig.readings())
    mosquitto.publish([("kept/plain", b"3")])
    wait_until(lambda: len(rig.readings()) == 2)
    rig.stop(sensor)
    assert [reading["values"] for reading in rig.readings()] == [{"n": 2}, {"value": 3}]


@needs_mosquitto
def test_a_broker_that_restarts_in_mid_stream_loses_nothing_of_what_it_confirmed_afterwards(
    rig: SensorRig, tmp_path: Path, log_lines: list[EventDict]
) -> None:
    with Mosquitto(tmp_path) as broker:
        sensor = rig.sensor(f"mqtt://127.0.0.1:{broker.port}/two", timeout_s=5)
        sensor.start()
        wait_until(up(sensor))
        broker.publish(numbered("two", range(100)))
        wait_until(lambda: len(rig.records()) == 100)
        broker.stop()
        wait_until(lambda: rig.metric("vss_sensor_up") == 0)
        assert sensor.readiness()[0].startswith("sensor pump: mqtt://127.0.0.1")
        broker.start()
        wait_until(up(sensor))
        broker.publish(numbered("two", range(100, 200)))
        wait_until(lambda: len(rig.records()) == 200)
        rig.stop(sensor)
    assert values(rig, "n") == list(range(200))
    assert rig.metric("vss_sensor_reconnects_total") == 1
    events = [line["event"] for line in log_lines]
    assert events.count("source dropped; trying again") == 1
    assert events.count("source is back") == 1
    assert sensor.report().exit_code == 0


@needs_mosquitto
def test_what_came_before_the_broker_went_is_taken(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        stream = SensorRig().recognise(f"mqtt://127.0.0.1:{broker.port}/gone").open()
        broker.publish(numbered("gone", range(5)))
        broker.stop()
        found = list(stream.read() or ())
        with pytest.raises(SourceUnavailable):  # noqa: PT012 - sooner or later
            while True:
                found += stream.read() or ()
        stream.close()
    assert found
    assert [one.values["n"] for one in found if isinstance(one, Sample)] == list(range(len(found)))


@needs_mosquitto
def test_a_message_is_confirmed_once_it_was_taken_and_not_before(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        source = SensorRig().recognise(f"mqtt://127.0.0.1:{broker.port}/kept", session="vss-pump")
        source.open().close()
        broker.publish(numbered("kept", range(1)))
        killed = source.open()
        assert until_something(killed) == [0]
        # Whoever took it has not asked for more: the process may have died with it in its hands.
        again = source.open()
        assert until_something(again) == [0]
        again.read()
        again.close()
        broker.publish(numbered("kept", range(1, 2)))
        last = source.open()
        assert until_something(last) == [1]
        last.close()
        killed.close()


def until_something(stream: Stream) -> list[float | None]:
    while not (batch := stream.read()):
        assert batch is not None
    return [one.values["n"] for one in batch if isinstance(one, Sample)]


@needs_mosquitto
def test_with_a_session_the_broker_keeps_what_comes_while_the_sensor_is_away(rig: SensorRig, tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        address = f"mqtt://127.0.0.1:{broker.port}/three"
        for wanted in (range(10), range(10, 30)):
            sensor = rig.sensor(address, session="vss-pump")
            sensor.start()
            wait_until(up(sensor))
            if wanted.start == 0:
                broker.publish(numbered("three", wanted))
            wait_until(lambda: len(rig.records()) == wanted.stop)  # noqa: B023 - used at once
            rig.stop(sensor)
            if wanted.start == 0:
                broker.publish(numbered("three", range(10, 30)))
    assert sorted(set(values(rig, "n"))) == list(range(30))  # at least once each


@pytest.fixture
def secured(tmp_path: Path) -> Mosquitto:
    make_certificates(tmp_path)
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    passwords.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "reader", "hunter2"], check=True, capture_output=True)
    return Mosquitto(
        tmp_path,
        [
            "allow_anonymous false",
            f"password_file {passwords}",
            f"cafile {tmp_path}/ca.crt",
            f"certfile {tmp_path}/server.crt",
            f"keyfile {tmp_path}/server.key",
            "require_certificate true",
        ],
    )


@needs_mosquitto
@needs_openssl
def test_tls_with_certificate_and_password_from_a_file(
    rig: SensorRig, secured: Mosquitto, tmp_path: Path, log_lines: list[EventDict]
) -> None:
    password = tmp_path / "password"
    password.write_text("wrong hunter3\n")
    with secured as broker:
        sensor = rig.sensor(
            f"mqtts://reader@localhost:{broker.port}/four",
            ca_file=tmp_path / "ca.crt",
            cert_file=tmp_path / "client.crt",
            key_file=tmp_path / "client.key",
            password_file=password,
        )
        sensor.start()
        wait_until(lambda: "refuses us" in "".join(sensor.readiness()))
        password.write_text("hunter2\n")  # read again at the next try
        wait_until(up(sensor))
        context = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        context.load_cert_chain(tmp_path / "client.crt", tmp_path / "client.key")
        broker.publish(numbered("four", range(5)), user=("reader", "hunter2"), tls=context)
        wait_until(lambda: len(rig.records()) == 5)
        rig.stop(sensor)
    assert values(rig, "n") == list(range(5))
    assert "hunter" not in str(log_lines)


@needs_mosquitto
@needs_openssl
@pytest.mark.parametrize(
    ("ca", "host", "why"),
    [("other-ca.crt", "localhost", "certificate does not hold"), ("ca.crt", "127.0.0.2", "does not hold")],
    ids=["other CA", "other name"],
)
def test_a_broker_that_is_not_who_it_should_be_is_not_let_in(
    rig: SensorRig, tmp_path: Path, ca: str, host: str, why: str
) -> None:
    make_certificates(tmp_path)
    lines = [f"cafile {tmp_path}/ca.crt", f"certfile {tmp_path}/server.crt", f"keyfile {tmp_path}/server.key"]
    broker = Mosquitto(tmp_path, ["allow_anonymous true", *lines], host="0.0.0.0")  # noqa: S104 - a name of this machine that is not on the certificate
    with broker:
        sensor = rig.sensor(f"mqtts://reader@{host}:{broker.port}/five", ca_file=tmp_path / ca)
        sensor.start()
        wait_until(lambda: why in "".join(sensor.readiness()))
        rig.stop(sensor)


def test_a_password_file_that_is_not_there_ends_the_sensor_with_the_fix(
    rig: SensorRig, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    sensor = rig.run(rig.sensor(f"mqtt://reader@127.0.0.1:{mosquitto.port}/six", password_file=tmp_path / "absent"))
    error = sensor.report().error
    assert isinstance(error, ConfigError)
    assert "absent cannot be read: No such file" in str(error)
    assert sensor.report().exit_code == 2


def test_a_broker_that_says_nothing_is_given_up_in_time(rig: SensorRig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sensor = rig.sensor(f"mqtt://127.0.0.1:{silent.getsockname()[1]}/seven", timeout_s=1)
        sensor.start()
        wait_until(lambda: "no answer in time" in "".join(sensor.readiness()))
        rig.stop(sensor)


def test_ten_thousand_messages_come_whole_and_in_order(rig: SensorRig, mosquitto: Mosquitto) -> None:
    sensor = rig.sensor(f"mqtt://127.0.0.1:{mosquitto.port}/eight", buffer=100_000)
    sensor.start()
    wait_until(up(sensor))
    for start in range(0, 10_000, 500):  # the broker queues no more than a thousand for one client
        mosquitto.publish(numbered("eight", range(start, start + 500)))
        wait_until(lambda: rig.metric("vss_readings_captured_total") == start + 500)  # noqa: B023 - used at once
    wait_until(lambda: len(rig.records()) == 10_000)
    rig.stop(sensor)
    assert values(rig, "n") == list(range(10_000))
    assert rig.metric("vss_sensor_gaps_total") == 0
