"""`vss sensor`."""

from __future__ import annotations

from typing import Any

import click

from vss.cli.feed_options import feed_options, run_command

EXAMPLES = """\b
Example:
  vss sensor pump pump.csv --time-column datetime --features pressure,temperature
  vss sensor plant plant.csv --sensor-column machine --speed 10 --loop --from-now
  my-program | vss sensor pump -
  vss sensor plant 'mqtts://reader@broker/factory/#' --sensor-from-topic 'factory/{sensor}/{feature}'
  vss sensor boiler modbus://192.168.1.30/1 --register pressure=0:float32 --register level=4
  vss sensor --config sensors.toml --metrics-port 9100

\b
sensors.toml:
  [[sensor]]
  id = "boiler"
  source = "modbus://192.168.1.30/1"
  period_ms = 500
  [[sensor.registers]]
  name = "pressure"
  address = 0
  type = "float32"
"""


@click.command(epilog=EXAMPLES)
@click.argument("id", required=False)
@click.argument("source", required=False)
@click.option("--time-column", help="Column or field of the time (the first of ts, time, timestamp, datetime, date).")
@click.option("--time-format", help="How times are written, as strptime takes it: '%d.%m.%Y %H:%M'.")
@click.option("--timezone", help="Of times that name none: Europe/Berlin (UTC).")
@click.option("--sensor-column", help="Column or field of the sensor's id, for many sensors in one source.")
@click.option("--features", metavar="A,B,…", help="Columns or fields to publish (all that hold numbers).")
@click.option("--map", "mapped", multiple=True, metavar="FEATURE=COLUMN", help="Publish a column under another name.")
@click.option("--separator", help="Between the columns of a CSV file; tab is one, too (found out).")
@click.option("--speed", metavar="FACTOR|max", help="Times a file's own pace; max does not keep it (1).")
@click.option("--loop", is_flag=True, default=None, help="Begin a file again at its end, for ever; times go on.")
@click.option("--from-now", is_flag=True, default=None, help="Move a file's times: its first reading is of now.")
@click.option("--period-ms", type=float, help="Between two readings (learnt); of Modbus, between two polls (1000).")
@click.option("--jump-periods", type=int, help="A step of more than this many periods is a jump of the clock (60).")
@click.option("--sensor-from-topic", metavar="PATTERN", help="What an MQTT topic says: 'factory/{sensor}/{feature}'.")
@click.option("--session", metavar="CLIENT-ID", help="MQTT: the broker keeps what comes while we are away.")
@click.option("--password-file", type=click.Path(), help="MQTT: file of the password (variable VSS_MQTT_PASSWORD).")
@click.option("--ca-file", type=click.Path(), help="MQTT: PEM file of the broker's CA (the system's CAs).")
@click.option("--cert-file", type=click.Path(), help="MQTT: PEM file of our certificate.")
@click.option("--key-file", type=click.Path(), help="MQTT: PEM file of its key.")
@click.option("--register", "registers", multiple=True, metavar="NAME=ADDRESS[:TYPE]", help="Modbus: a value to read.")
@click.option("--buffer", type=int, help="Readings that may wait between source and Kafka (1000).")
@click.option("--timeout-s", type=float, help="Silence after which a connection has dropped (10).")
@feed_options("sensor")
def sensor(
    id: str | None,  # noqa: A002 - the argument's name in the help
    source: str | None,
    mapped: tuple[str, ...],
    registers: tuple[str, ...],
    **given: Any,
) -> None:
    """Publish the readings of SOURCE as sensor ID, or of many sources with --config.

    SOURCE is a CSV file, a .jsonl file, - (JSON lines on standard input), mqtt://USER@HOST/TOPIC, mqtts://… or
    modbus://HOST/UNIT. A file keeps its own pace and waits for Kafka; a live source is opened again when it drops, and
    its oldest readings go when Kafka is too slow.

    Ends with 0 at a file's end or when stopped, with 1 or 2 when a sensor failed.
    """
    from vss.workers.sensor.config import load_sensors, sensor_config
    from vss.workers.sensor.process import SENSORS

    if mapped:
        given["map"] = dict(_pair(text, "--map pressure=P1") for text in mapped)
    if registers:
        given["registers"] = [_register(text) for text in registers]
    run_command(
        SENSORS,
        given,
        id=id,
        source=source,
        one=sensor_config,
        many=load_sensors,
        example="vss sensor pump pump.csv",
        items="readings",
    )


def _pair(text: str, example: str) -> tuple[str, str]:
    from vss.errors import ConfigError

    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ConfigError(f"{text!r} is no pair", fix=f"write {example}")
    return name, value


def _register(text: str) -> dict[str, Any]:
    name, place = _pair(text, "--register pressure=0:float32")
    address, colon, kind = place.partition(":")
    return {"name": name, "address": address} | ({"type": kind} if colon else {})
