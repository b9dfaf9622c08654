from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from tests.sensor.rig import SensorRig
from vss.errors import ConfigError, SourceUnreadable, VssError
from vss.workers.sensor.config import load_sensors, sensor_config
from vss.workers.sensor.csv_file import CsvFile
from vss.workers.sensor.json_lines import JsonLines
from vss.workers.sensor.modbus import Modbus
from vss.workers.sensor.mqtt import Mqtt

REGISTER = {"registers": [{"name": "p", "address": 0}]}


@pytest.mark.parametrize(
    ("text", "options", "kind", "live"),
    [
        ("-", {}, JsonLines, False),
        ("mqtt://broker/a/+/#", {}, Mqtt, True),
        ("MQTTS://reader@broker:8884/a", {}, Mqtt, True),
        ("modbus://10.0.0.5:1502/7", REGISTER, Modbus, True),
        ("modbus://10.0.0.5", REGISTER, Modbus, True),
    ],
)
def test_an_address_tells_what_kind_of_source_it_is(text: str, options: dict[str, Any], kind: type, live: bool) -> None:
    source = SensorRig().recognise(text, **options)
    assert type(source) is kind
    assert source.live is live


def test_a_path_tells_what_kind_of_source_it_is(tmp_path: Path) -> None:
    for name, kind in (("a.csv", CsvFile), ("a.txt", CsvFile), ("a.jsonl", JsonLines), ("A.NDJSON", JsonLines)):
        (tmp_path / name).touch()
        assert type(SensorRig().recognise(str(tmp_path / name))) is kind


def test_addresses_are_taken_apart() -> None:
    modbus = SensorRig().recognise("modbus://[fe80::1]:1502/7", **REGISTER)
    assert isinstance(modbus, Modbus)
    assert (modbus.host, modbus.port, modbus.unit, modbus.period_ms) == ("fe80::1", 1502, 7, 1000)
    mqtt = SensorRig().recognise("mqtts://plant@reader@broker/factory/#")
    assert isinstance(mqtt, Mqtt)
    assert (mqtt.user, mqtt.host, mqtt.port, mqtt.topic) == ("plant@reader", "broker", 8883, "factory/#")


def test_the_password_comes_from_a_variable_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VSS_MQTT_PASSWORD", "hunter2")
    monkeypatch.setenv("PLANT", "hunter3")
    file = tmp_path / "password"
    file.write_text("hunter4\n")
    found = []
    for options in ({}, {"password_env": "PLANT"}, {"password_file": file}):
        source = SensorRig().recognise("mqtt://reader@broker/a", **options)
        assert isinstance(source, Mqtt)
        found.append(source.password())
        assert "hunter" not in repr(source) + source.name
    assert found == ["hunter2", "hunter3", "hunter4"]


@pytest.mark.parametrize(
    ("text", "options", "message", "fix"),
    [
        ("absent.csv", {}, "no such file: absent.csv", "CSV file"),
        (".", {}, "no such file", "CSV file"),
        ("opc://x", {}, "no sensor speaks opc", "modbus://"),
        ("mqtt://reader:hunter2@broker/a", {}, "holds a password", "--password-file"),
        ("mqtt://broker", {}, "no topic", "mqtt://broker/factory"),
        ("mqtt://broker/a/#/b", {}, "no topic", "# for all below"),
        ("mqtt://broker/a+", {}, "no topic", "+ for any level"),
        ("mqtt://broker:0/a", {}, "no port 0", "1883"),
        ("mqtt://:1883/a", {}, "no address", "mqtt://HOST:1883"),
        ("mqtt://broker/a", {"ca_file": "ca.pem"}, "--ca-file is for mqtts://", "leave --ca-file out"),
        ("mqtt://broker/a", {"loop": True}, "--loop is for files", "leave --loop out"),
        ("mqtt://broker/a", {"speed": 10}, "--speed is for files", "leave --speed out"),
        ("mqtt://broker/a", {"password_file": "x"}, "needs a user", "mqtt://USER@broker"),
        ("mqtts://broker/a", {"ca_file": "absent.pem"}, "absent.pem cannot be used: No such file", "--ca-file"),
        ("mqtts://broker/a", {"cert_file": "a.pem"}, "needs its key", "--key-file"),
        ("modbus://broker", {}, "which registers?", "--register"),
        ("modbus://broker/x", REGISTER, "unit 'x'", "0 to 255"),
        ("modbus://broker/256", REGISTER, "unit '256'", "0 to 255"),
        ("-", {"session": "x"}, "--session is for mqtt://", "leave --session out"),
        ("-", REGISTER, "--register is for modbus://", "leave --register out"),
    ],
)
def test_what_cannot_work_is_refused_with_the_fix(text: str, options: dict[str, Any], message: str, fix: str) -> None:
    with pytest.raises((SourceUnreadable, ConfigError)) as caught:
        SensorRig().recognise(text, **options)
    assert message in str(caught.value)
    assert fix in caught.value.fix
    assert caught.value.exit_code == 2
    assert "hunter2" not in str(caught.value) + caught.value.fix


@pytest.mark.parametrize(
    ("text", "options", "package", "extra"),
    [("mqtt://broker/a", {}, "paho", "mqtt"), ("modbus://broker", REGISTER, "pymodbus", "modbus")],
)
def test_a_client_that_is_not_installed_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, text: str, options: dict[str, Any], package: str, extra: str
) -> None:
    find_spec = importlib.util.find_spec

    def without(name: str, package_: str | None = None) -> ModuleSpec | None:
        return None if name == package else find_spec(name, package_)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(ConfigError) as caught:
        SensorRig().recognise(text, **options)
    assert caught.value.fix == f"pip install 'vss-fleet[{extra}]'"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 0}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"timezone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"separator": ",,"}, "separator: must be one character"),
        ({"buffer": 0}, "buffer"),
        ({"features": "a,b", "map": {"a": "c"}}, "feature 'a' is named twice"),
        ({"registers": [{"name": "p", "address": 70_000}]}, "registers.0.address"),
        ({"registers": [{"name": "p", "address": 0, "typ": "int16"}]}, "registers.0.typ"),
        ({"registers": [{"name": "p", "address": 0}, {"name": "p", "address": 1}]}, "feature 'p' is named twice"),
        ({"period": 5}, "unknown key period"),
    ],
)
def test_a_value_that_does_not_fit_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sensor_config({"id": "pump", "source": "a.csv", **options})
    assert message in str(caught.value)
    assert caught.value.fix


def test_many_sensors_come_from_one_file(tmp_path: Path) -> None:
    file = tmp_path / "sensors.toml"
    file.write_text(
        """
        [[sensor]]
        id = "boiler"
        source = "modbus://10.0.0.5/1"
        period_ms = 500
        [[sensor.registers]]
        name = "pressure"
        address = 0
        type = "float32"
        [[sensor]]
        id = "pump"
        source = "pump.csv"
        features = ["a", "b"]
        map = { pressure = "P1" }
        speed = "max"
        """
    )
    boiler, pump = load_sensors(file, {"buffer": 7})
    assert (boiler.id, boiler.period_ms, boiler.registers[0].type, boiler.buffer) == ("boiler", 500, "float32", 7)
    assert (pump.features, pump.map, pump.speed) == (("a", "b"), {"pressure": "P1"}, float("inf"))


@pytest.mark.parametrize("text", ['[[camera]]\nid="a"', "", '[[sensor]]\nid="a"', '[[sensor]]\nid="a b"\nsource="x"'])
def test_a_wrong_file_is_refused_with_the_fix(tmp_path: Path, text: str) -> None:
    (tmp_path / "sensors.toml").write_text(text)
    with pytest.raises(VssError) as caught:
        load_sensors(tmp_path / "sensors.toml")
    assert caught.value.fix
