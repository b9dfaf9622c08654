"""From what a user says of a sensor to the description of its source."""

from __future__ import annotations

import importlib.util
import os
import re
import uuid
import zoneinfo
from collections.abc import Callable
from pathlib import Path

from vss.clock import Clock
from vss.errors import ConfigError, SourceUnreadable
from vss.masking import mask_text
from vss.workers.sensor.columns import Columns
from vss.workers.sensor.config import SensorConfig
from vss.workers.sensor.csv_file import CsvFile
from vss.workers.sensor.json_lines import STDIN, JsonLines
from vss.workers.sensor.json_reading import JsonReadings
from vss.workers.sensor.modbus import Modbus
from vss.workers.sensor.mqtt import Mqtt, Tls
from vss.workers.sensor.mqtt_payload import MqttPayloads
from vss.workers.sensor.sample import Source
from vss.workers.sensor.times import Times
from vss.workers.sensor.topic_pattern import TopicPattern

JSON_SUFFIXES = frozenset({".jsonl", ".ndjson"})
_KINDS = "a CSV file, a .jsonl file, - (JSON lines on standard input), mqtt://…, mqtts://… or modbus://…"
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z]+)://(?:(?P<user>[^/]*)@)?(?P<host>\[[0-9a-f:.]+\]|[^/:@\[\]]+)(?::(?P<port>\d+))?(?:/(?P<path>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_PORTS = {"mqtt": 1883, "mqtts": 8883, "modbus": 502}
_MODBUS_PERIOD_MS = 1000.0
# Options that mean something to one kind of source alone.
_FOR_MQTT = ("sensor_from_topic", "session", "password_file")
_FOR_TLS = ("ca_file", "cert_file", "key_file")


def recognise(
    config: SensorConfig, *, clock: Clock, limit_bytes: int, on_exception: Callable[[str, str], None]
) -> Source:
    """Tells what kind of source it is, without opening it.

    Args:
        config: What the user says.
        clock: For what carries no time.
        limit_bytes: A longer line or message is no reading.
        on_exception: Told of Modbus exceptions; see `Modbus`.

    Raises:
        SourceUnreadable: Nothing is there, or it is of no kind we read.
        ConfigError: An option is missing, or has no use for such a source.
    """
    text = config.source
    scheme, separator, _ = text.partition("://")
    scheme = scheme.lower() if separator else ""
    _refuse_options(config, scheme)
    if scheme in _PORTS:
        host, port, user, path = _address(text, scheme)
        if scheme == "modbus":
            return _modbus(config, host, port, path, clock, on_exception)
        return _mqtt(config, scheme, host, port, user, path, _readings(config, clock), limit_bytes, clock)
    if separator:
        raise SourceUnreadable(f"no sensor speaks {scheme}: {mask_text(text)}", fix=f"name {_KINDS}")
    if text == STDIN:
        return JsonLines(STDIN, _readings(config, clock), limit_bytes)
    file = Path(text).expanduser()
    # A pipe or /dev/stdin is no file, and reads like one.
    if not file.exists() or file.is_dir():
        raise SourceUnreadable(f"no such file: {mask_text(text)}", fix=f"name {_KINDS}")
    if file.suffix.lower() in JSON_SUFFIXES:
        return JsonLines(str(file), _readings(config, clock), limit_bytes)
    return CsvFile(file, config.id, _columns(config), _times(config), config.separator, limit_bytes)


def _refuse_options(config: SensorConfig, scheme: str) -> None:
    given = config.model_fields_set
    useless = {name: "mqtt://… alone" for name in _FOR_MQTT if not scheme.startswith("mqtt")}
    useless |= {name: "mqtts://… alone" for name in _FOR_TLS if scheme != "mqtts"}
    useless |= {"registers": "modbus://… alone"} if scheme != "modbus" else {}
    if scheme:
        useless |= dict.fromkeys(("loop", "speed", "from_now", "separator"), "files alone")
    for name, whom in useless.items():
        if name in given and getattr(config, name):
            flag = "--register" if name == "registers" else f"--{name.replace('_', '-')}"
            raise ConfigError(f"sensor {config.id}: {flag} is for {whom}", fix=f"leave {flag} out")


def _address(text: str, scheme: str) -> tuple[str, int, str | None, str]:
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ConfigError(f"no address of a sensor: {mask_text(text)}", fix=f"write {scheme}://HOST:{_PORTS[scheme]}/…")
    user = found["user"]
    if user is not None and ":" in user:
        raise ConfigError(
            f"the address of {found['host']} holds a password, which others can see",
            fix="leave it out; set VSS_MQTT_PASSWORD, or give --password-file",
        )
    port = int(found["port"] or _PORTS[scheme])
    if not 0 < port < 65536:
        raise ConfigError(f"{found['host']} has no port {port}", fix=f"{scheme} is mostly at {_PORTS[scheme]}")
    return found["host"].strip("[]"), port, user, found["path"] or ""


def _modbus(
    config: SensorConfig, host: str, port: int, path: str, clock: Clock, on_exception: Callable[[str, str], None]
) -> Modbus:
    _require("pymodbus", "modbus")
    if path and not (path.isascii() and path.isdigit() and int(path) <= 255):
        raise ConfigError(f"sensor {config.id}: unit {path!r} is none", fix="end the address with 0 to 255, or nothing")
    if not config.registers:
        raise ConfigError(
            f"sensor {config.id}: which registers?",
            fix="give --register pressure=0:float32, or [[sensor.registers]] tables in a file for --config",
        )
    period_ms = config.period_ms if config.period_ms is not None else _MODBUS_PERIOD_MS
    return Modbus(
        host, port, int(path or 1), config.registers, period_ms, config.id, clock, on_exception, config.timeout_s
    )


def _mqtt(
    config: SensorConfig,
    scheme: str,
    host: str,
    port: int,
    user: str | None,
    topic: str,
    readings: JsonReadings,
    limit_bytes: int,
    clock: Clock,
) -> Mqtt:
    _require("paho.mqtt", "mqtt")
    if not topic or not _is_filter(topic):
        raise ConfigError(
            f"sensor {config.id}: {topic!r} is no topic to subscribe to",
            fix=f"write {scheme}://{host}/factory/pump-1, or with + for any level and # for all below",
        )
    pattern = TopicPattern(config.sensor_from_topic) if config.sensor_from_topic is not None else None
    if (config.cert_file is None) != (config.key_file is None):
        raise ConfigError(f"sensor {config.id}: a certificate needs its key", fix="give --cert-file and --key-file")
    tls = Tls(config.ca_file, config.cert_file, config.key_file) if scheme == "mqtts" else None
    if tls is not None:
        tls.context()
    if user is None and config.password_file is not None:
        raise ConfigError(f"sensor {config.id}: a password needs a user", fix=f"write {scheme}://USER@{host}/…")
    return Mqtt(
        host,
        port,
        topic,
        MqttPayloads(readings, pattern, limit_bytes),
        clock,
        user=user,
        password=lambda: _password(config),
        tls=tls,
        timeout_s=config.timeout_s,
        client_id=config.session if config.session is not None else f"vss-{uuid.uuid4().hex[:16]}",
        keeps_session=config.session is not None,
    )


def _password(config: SensorConfig) -> str | None:
    if config.password_file is None:
        return os.environ.get(config.password_env)
    try:
        return config.password_file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ConfigError(f"{config.password_file} cannot be read: {why}", fix="give --password-file a file") from None


def _is_filter(topic: str) -> bool:
    """MQTT 3.1.1, 4.7.1: a wildcard is a whole level, `#` the last."""
    levels = topic.split("/")
    return all(level in ("+", "#") or not {"+", "#", "\0"} & set(level) for level in levels) and "#" not in levels[:-1]


def _readings(config: SensorConfig, clock: Clock) -> JsonReadings:
    return JsonReadings(config.id, clock, _columns(config), _times(config))


def _columns(config: SensorConfig) -> Columns:
    return Columns(config.time_column, config.sensor_column, {name: name for name in config.features} | config.map)


def _times(config: SensorConfig) -> Times:
    return Times(zoneinfo.ZoneInfo(config.timezone), config.time_format)


def _require(module: str, extra: str) -> None:
    package = module.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"{package} is not installed", fix=f"pip install 'vss-fleet[{extra}]'")
