"""The rolling score on sentry-arroyo, at least once, with windows in memory; needs only what setup.sh installs."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import orjson
from arroyo.backends.kafka import (
    KafkaConsumer,
    KafkaPayload,
    KafkaProducer,
    build_kafka_configuration,
    build_kafka_consumer_configuration,
)
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import CommitOffsets, Produce, RunTask
from arroyo.processing.strategies.abstract import ProcessingStrategy, ProcessingStrategyFactory
from arroyo.types import Commit, FilteredPayload, Message, Partition, Topic

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "telemetry"))
from rolling import Watch, options, take


class Rolling(ProcessingStrategyFactory[KafkaPayload]):
    """Score, produce, commit.

    Args:
        producer: Writes events.
        target: Where to.
        readings: After so many it is over.
        watch: Measures.
    """

    def __init__(self, producer: KafkaProducer, target: Topic, readings: int, watch: Watch) -> None:
        self._producer = producer
        self._target = target
        self._readings = readings
        self._watch = watch
        self._windows: dict[str, list[float]] = {}
        self.processor: StreamProcessor[KafkaPayload] | None = None

    def create_with_partitions(
        self, commit: Commit, partitions: Mapping[Partition, int]
    ) -> ProcessingStrategy[KafkaPayload]:
        """See arroyo."""
        return RunTask(self._score, Produce(self._producer, self._target, CommitOffsets(commit)))

    def _score(self, message: Message[KafkaPayload]) -> KafkaPayload | FilteredPayload:
        if self._watch.saw() >= self._readings and self.processor is not None:
            self.processor.signal_shutdown()
        reading = orjson.loads(message.payload.value)
        sensor_id, ts_ms, values = reading["sensor_id"], reading["ts"], reading["values"]
        found = take(self._windows.setdefault(sensor_id, []), ts_ms, values["p"], values["q"])
        if found is None:
            return FilteredPayload()
        event = orjson.dumps({"sensor_id": sensor_id, "ts": ts_ms, "score": found})
        return KafkaPayload(message.payload.key, event, [])


def main() -> None:
    """Turns all readings into scores."""
    told, watch = options(), Watch()
    producer = KafkaProducer(build_kafka_configuration({}, bootstrap_servers=[told.servers]))
    consumer = KafkaConsumer(
        build_kafka_consumer_configuration(
            {},
            group_id=f"arroyo-{uuid.uuid4().hex[:12]}",
            auto_offset_reset="earliest",
            bootstrap_servers=[told.servers],
        )
    )
    factory = Rolling(producer, Topic(told.target), told.readings, watch)
    factory.processor = StreamProcessor(consumer, Topic(told.source), factory)
    factory.processor.run()
    producer.close().result()
    watch.report()


if __name__ == "__main__":
    main()
