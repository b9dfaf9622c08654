"""A telemetry worker as a process of its own: how old readings are when their events can be read, and its memory."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import psutil

from vss.bench.telemetry.series import NEVER_PASSED
from vss.bench.telemetry.series_feed import SeriesFeed
from vss.codecs.headers import parse_time
from vss.config import Settings
from vss.errors import StreamError
from vss.logs import get_logger
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.series.spec import SeriesSpec
from vss.schemas.topics import TELEMETRY, Topic
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.log_reader import LogReader
from vss.streams.topic_admin import create_topics
from vss.workers.telemetry.kinds import ANOMALY, FORECAST

_TOPICS: Final[dict[str, Topic]] = {kind.task: kind.findings.topic for kind in (ANOMALY, FORECAST)}
_PATIENCE_S: Final = 300.0
_POLL_S: Final = 0.1
_TICK_S: Final = 0.002
# Times are whole milliseconds and grow: readings that come faster than that would be dated ahead of the clock.
_READINGS_A_SENSOR: Final = 100
# Connections, caches and the sizes of batches settle.
_WARM_UP_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Ages:
    """Of readings, from their measurement to when a `read_committed` reader has their event.

    Attributes:
        readings_a_second: Offered; each has an event.
        readings: How many were measured.
    """

    readings_a_second: float
    readings: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class SensorMemory:
    """Of a worker that holds windows of many sensors.

    Attributes:
        resident_bytes: Once every sensor's window is full and was looked at.
    """

    sensors: int
    window: int
    features: int
    resident_bytes: int


def measure_ages(
    settings: Settings, ref: ModelRef, spec: SeriesSpec, *, sensors: int, rate: float, seconds: float
) -> Ages:
    """Publishes readings at a rate, each of which makes a window due, and reads the events as they become visible.

    Args:
        settings: The cluster, with a prefix of this call's own.
        ref: The model.
        spec: What it was trained with.
        sensors: How many readings are of; more where a sensor would have more than 100 readings a second.
        rate: Readings a second.
        seconds: For how long, behind two seconds that do not count.

    Raises:
        StreamError: The worker ended, or does not keep up at all.
    """
    create_topics(settings.kafka)
    sensors = max(sensors, math.ceil(rate / _READINGS_A_SENSOR))
    feed = SeriesFeed(spec, sensors, 1, int(time.time() * 1000) - 1000)
    feed.publish(settings.kafka)
    events = _TOPICS[ref.manifest.task].name(settings.kafka.topic_prefix)
    stop, ages = threading.Event(), _Ages(settings, events)
    with _worker(settings, ref) as worker:
        reading = threading.Thread(target=ages.read, args=(stop,), daemon=True)
        reading.start()
        try:
            _wait(lambda: ages.seen >= sensors, worker, "no window was looked at")
            started_ms = int(time.time() * 1000)
            sent = _publish_paced(settings, feed, rate, _WARM_UP_S + seconds)
            _wait(lambda: ages.seen >= sensors + sent, worker, "the worker does not keep up")
        finally:
            stop.set()
            reading.join()
    counted = ages.since(started_ms + int(_WARM_UP_S * 1000))
    p50, p95, p99 = np.percentile(counted, [50, 95, 99]).tolist()
    return Ages(rate, len(counted), p50, p95, p99)


def measure_memory(settings: Settings, ref: ModelRef, spec: SeriesSpec, *, sensors: int) -> SensorMemory:
    """Lets a worker fill and look at one window of each of many sensors.

    Args:
        settings: The cluster, with a prefix of this call's own.
        ref: The model.
        spec: What it was trained with.
        sensors: How many.

    Raises:
        StreamError: The worker ended, or does not come to an end.
    """
    create_topics(settings.kafka)
    feed = SeriesFeed(spec, sensors, 1, int(time.time() * 1000))
    feed.publish(settings.kafka)
    source = TELEMETRY.name(settings.kafka.topic_prefix)
    group = _group(settings, ref)
    with _worker(settings, ref) as worker, LogReader(settings.kafka) as reader:
        partitions = reader.spans([source]).keys()

        def done() -> bool:
            return sum(offset or 0 for offset in reader.committed(group, partitions).values()) >= feed.readings

        _wait(done, worker, "the worker does not get through")
        resident = int(psutil.Process(worker.pid).memory_info().rss)
    return SensorMemory(sensors, spec.window, len(spec.features), resident)


class _Ages:
    """Reads events and notes how old they are."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._found: list[tuple[int, float]] = []

    @property
    def seen(self) -> int:
        """Events so far."""
        return len(self._found)

    def read(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        with LogReader(self._settings.kafka) as reader:
            starts = {partition: span.low for partition, span in reader.spans([self._topic]).items()}
            for records in reader.follow(starts, timeout_s=0.05):
                now_ms = time.time() * 1000
                for record in records:
                    measured_ms = parse_time(orjson.loads(record.value or b"{}")["captured_at"]) // 1_000_000
                    self._found.append((measured_ms, now_ms - measured_ms))
                if stop.is_set():
                    return

    def since(self, time_ms: int) -> list[float]:
        """Ages, milliseconds, of readings that were measured from then on."""
        return [age_ms for measured_ms, age_ms in self._found if measured_ms >= time_ms]


def _publish_paced(settings: Settings, feed: SeriesFeed, rate: float, seconds: float) -> int:
    """Publishes a reading of each sensor in turn; returns how many."""
    topic = TELEMETRY.name(settings.kafka.topic_prefix)
    rows = [feed.row(number) for number in range(64)]
    last_ms = [0] * feed.sensors
    publisher = KafkaPublisher(settings.kafka, logger=get_logger("bench"))
    sent, started_s = 0, time.perf_counter()
    try:
        while (passed_s := time.perf_counter() - started_s) < seconds:
            while sent < passed_s * rate:
                sensor = sent % feed.sensors
                last_ms[sensor] = max(int(time.time() * 1000), last_ms[sensor] + 1)
                publisher.publish(feed.message(topic, sensor, last_ms[sensor], rows[sent % len(rows)]))
                sent += 1
            publisher.poll(0.0)
            time.sleep(_TICK_S)
    finally:
        publisher.close()
    return sent


@contextmanager
def _worker(settings: Settings, ref: ModelRef) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the settings' cluster and windows, on the model's file."""
    with tempfile.TemporaryDirectory(prefix="vss-bench-") as folder:
        config = Path(folder) / "vss.toml"
        config.write_text(_toml(settings))
        command = [str(Path(sys.executable).with_name("vss")), "worker", ref.manifest.task, "--config", str(config)]
        command += ["--model", str(ref.file), "--group", _group(settings, ref)]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _group(settings: Settings, ref: ModelRef) -> str:
    return f"{settings.kafka.topic_prefix}{ref.manifest.task}"


def _toml(settings: Settings) -> str:
    kafka = settings.kafka
    cluster = f'bootstrap_servers = "{kafka.bootstrap_servers}"\ntopic_prefix = "{kafka.topic_prefix}"'
    # Made-up readings shall look as most do.
    return f"[model]\nthreshold = {NEVER_PASSED}\n[kafka]\n{cluster}\n"


def _wait(done: Callable[[], bool], worker: subprocess.Popen[bytes], otherwise: str) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not done():
        if worker.poll() is not None:
            raise StreamError(f"the worker ended with {worker.returncode}")
        if time.monotonic() > deadline_s:
            raise StreamError(otherwise)
        time.sleep(_POLL_S)


def prefix_of_its_own(settings: Settings) -> Settings:
    """The settings with another topic prefix, for a measurement that shares nothing with the one before."""
    kafka = settings.kafka.model_copy(update={"topic_prefix": f"{settings.kafka.topic_prefix}{uuid.uuid4().hex[:6]}."})
    return settings.model_copy(update={"kafka": kafka})
