from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from vss.cli.main import main
from vss.config import KafkaSettings, Settings
from vss.schemas.topics import FRAMES
from vss.streams.topic_admin import create_topics

# Of late, for a broker deletes what is older than its topic keeps.
START_MS = time.time_ns() // 1_000_000_000 * 1000 - 60_000


class FrameLog:
    """Writes frames with the times that a test needs, one a second a partition.

    Args:
        kafka: The cluster and the prefix.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self.topic = FRAMES.name(kafka.topic_prefix)
        # Silent, for it outlives the broker.
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        self._written: dict[int, int] = {}

    def write(self, values: Sequence[bytes], *, partition: int = 0, camera: str = "gate") -> None:
        for value in values:
            second = self._written.get(partition, 0)
            self._written[partition] = second + 1
            self._producer.produce(
                self.topic, value, camera.encode(), partition=partition, timestamp=START_MS + 1000 * second
            )
        assert self._producer.flush(20) == 0


@pytest.fixture
def kafka(bootstrap_servers: str) -> KafkaSettings:
    """The session's broker with topics of the test's own."""
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"{uuid.uuid4().hex}.")
    create_topics(settings)
    return settings


@pytest.fixture
def settings(kafka: KafkaSettings) -> Settings:
    return Settings(kafka=kafka)


@pytest.fixture
def log(kafka: KafkaSettings) -> FrameLog:
    return FrameLog(kafka)


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def vss(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """The command line, in a folder of the test's own; measures no memory, which starts a process for each model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vss.workers.offline.compare.measure_memory", lambda _ref, _settings: 50_000_000)

    def run(*arguments: Any) -> Ran:
        with pytest.raises(SystemExit) as exited:
            main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        assert isinstance(exited.value.code, int)
        assert "Traceback" not in streams.err
        return Ran(exited.value.code, streams.out, streams.err)

    return run


@pytest.fixture
def on_kafka(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line talks to the test's topics."""
    monkeypatch.setenv("VSS_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("VSS_KAFKA__TOPIC_PREFIX", kafka.topic_prefix)
