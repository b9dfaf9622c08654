"""Readings of a real Modbus server."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from pymodbus.constants import ExcCodes
from structlog.typing import EventDict

from tests.ingest.rig import wait_until
from tests.sensor.modbus_server import ModbusServer, registers
from tests.sensor.rig import SensorRig
from vss.errors import SourceUnavailable
from vss.testing import ManualClock
from vss.workers.ingest.status import State

PRESSURE, LEVEL, FLOW = 21.125, -7, 70_000
REGISTERS: list[dict[str, Any]] = [
    {"name": "pressure", "address": 0, "type": "float32"},
    {"name": "flow", "address": 2, "type": "uint32", "word_order": "little", "scale": 0.001, "offset": -10},
    {"name": "level", "address": 4, "type": "int16"},
    {"name": "raw", "address": 40, "type": "uint16", "kind": "input"},
]


@pytest.fixture
def server() -> Iterator[ModbusServer]:
    high, low = struct.unpack(">HH", struct.pack(">f", PRESSURE))
    data = [registers(0, high, low, FLOW & 0xFFFF, FLOW >> 16, LEVEL & 0xFFFF), registers(40, 65_535)]
    with ModbusServer(data) as server:
        yield server


def test_registers_become_readings_of_one_moment(rig: SensorRig, server: ModbusServer) -> None:
    sensor = rig.sensor(f"modbus://127.0.0.1:{server.port}/1", registers=REGISTERS, period_ms=20)
    sensor.start()
    wait_until(lambda: len(rig.records()) >= 20)
    rig.stop(sensor)
    for reading in rig.readings():
        assert reading["sensor_id"] == "pump"
        assert reading["values"] == {"pressure": PRESSURE, "flow": 60.0, "level": -7.0, "raw": 65_535.0}
    times = [reading["ts"] for reading in rig.readings()]
    assert times == sorted(set(times))
    # What lies side by side is asked for at once.
    assert set(server.reads) == {(0, 5), (40, 1)}


def test_polls_keep_their_beat_and_leave_out_what_they_missed(server: ModbusServer) -> None:
    clock = ManualClock()
    source = SensorRig(clock).recognise(f"modbus://127.0.0.1:{server.port}", registers=REGISTERS, period_ms=1000)
    stream = source.open()
    start_ns = clock.now_ns()

    def next_ms() -> int:
        while not (batch := stream.read()):
            pass
        return batch[0].ts_ms - start_ns // 1_000_000  # type: ignore[union-attr]

    assert [next_ms() for _ in range(3)] == [0, 1000, 2000]
    clock.advance(3.5)
    assert [next_ms() for _ in range(3)] == [5500, 6000, 7000]
    stream.close()


def test_an_exception_costs_its_registers_alone_and_is_said_once(
    rig: SensorRig, server: ModbusServer, log_lines: list[EventDict]
) -> None:
    server.exceptions[40] = ExcCodes.DEVICE_BUSY
    sensor = rig.sensor(f"modbus://127.0.0.1:{server.port}", registers=REGISTERS, period_ms=10)
    sensor.start()
    wait_until(lambda: len(rig.records()) >= 5)
    server.exceptions.clear()
    wait_until(lambda: rig.readings()[-1]["values"]["raw"] is not None)
    rig.stop(sensor)
    assert rig.readings()[0]["values"] == {"pressure": PRESSURE, "flow": 60.0, "level": -7.0, "raw": None}
    assert rig.metric("vss_sensor_register_errors_total") >= 5
    said = [line for line in log_lines if line["event"].startswith("registers cannot be read")]
    assert [(line["registers"], line["exception"]) for line in said] == [("input 40", "device busy")]


def test_a_device_that_answers_nothing_but_exceptions_has_dropped(rig: SensorRig, server: ModbusServer) -> None:
    sensor = rig.sensor(f"modbus://127.0.0.1:{server.port}", registers=[{"name": "x", "address": 900}])
    sensor.start()
    wait_until(lambda: "it answers: illegal data address" in "".join(sensor.readiness()))
    rig.stop(sensor)
    assert rig.records() == []


def test_a_device_that_restarts_is_connected_again(
    rig: SensorRig, server: ModbusServer, log_lines: list[EventDict]
) -> None:
    sensor = rig.sensor(f"modbus://127.0.0.1:{server.port}", registers=REGISTERS, period_ms=10, timeout_s=2)
    sensor.start()
    wait_until(lambda: len(rig.records()) >= 5)
    server.stop()
    wait_until(lambda: sensor.report().state is State.DOWN)
    before = len(rig.records())
    server.start()
    wait_until(lambda: len(rig.records()) >= before + 5)
    rig.stop(sensor)
    assert rig.metric("vss_sensor_reconnects_total") == 1
    assert [line["event"] for line in log_lines].count("source is back") == 1
    assert rig.metric("vss_sensor_clock_jumps_total", direction="forward") == 0  # time went on all the while


def test_nobody_there_is_no_connection(rig: SensorRig, server: ModbusServer) -> None:
    server.stop()
    source = rig.recognise(f"modbus://127.0.0.1:{server.port}", registers=REGISTERS, timeout_s=1)
    with pytest.raises(SourceUnavailable, match="no connection"):
        source.open()
