from __future__ import annotations

import re
from pathlib import Path

from tests.ingest.cluster import Cluster
from vss.codecs.readings import ReadingLimits, decode_readings
from vss.config import Limits
from vss.schemas.topics import TELEMETRY
from vss.streams.topic_admin import create_topics
from vss.workers.sensor.config import SensorConfig, load_sensors
from vss.workers.sensor.registers import Register

DOCUMENT = (Path(__file__).parents[2] / "docs" / "sensors.md").read_text()


def blocks(language: str) -> str:
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE))


def test_the_documented_producer_makes_readings_that_workers_read(bootstrap_servers: str) -> None:
    cluster = Cluster(bootstrap_servers, command="sensor", topic=TELEMETRY)
    create_topics(cluster.kafka, topics=(TELEMETRY,))
    code = blocks("python")
    for written, here in {
        "127.0.0.1:9092": bootstrap_servers,
        "vss.telemetry": TELEMETRY.name(cluster.kafka.topic_prefix),
    }.items():
        assert written in code
        code = code.replace(written, here)
    exec(code, {})  # noqa: S102 - the project's own documentation
    (record,) = cluster.records()
    found = decode_readings([record.value], [record.key], [record.timestamp_ms], ReadingLimits.of(Limits()))
    assert found.errors == {}
    assert found.values == [{"pressure": 1.2, "flow": None}]


def test_the_documented_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "sensors.toml").write_text(blocks("toml"))
    (boiler,) = load_sensors(tmp_path / "sensors.toml")
    assert [register.name for register in boiler.registers] == ["pressure", "flow", "level"]
    assert boiler.registers[1] == Register(
        name="flow", address=2, type="uint32", word_order="little", scale=0.001, offset=-10
    )


def test_every_key_is_documented() -> None:
    for name in [*SensorConfig.model_fields, *Register.model_fields]:
        assert f"`{name}`" in DOCUMENT or name in ("id", "source", "registers"), name
