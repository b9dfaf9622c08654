"""Real serving of a real store, following a real log."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.streams.contract.world import read_committed, wait_until
from vss.codecs.events import decode_event
from vss.config import KafkaSettings, ModelSettings, Settings
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.runner.picture import Picture
from vss.model_store.serving.requests import Request
from vss.model_store.serving.serving import Serving
from vss.schemas.models import ModelActivation, ModelEvent, ModelVerdict, ServingLimits
from vss.schemas.topics import MODEL_EVENTS, MODEL_VERDICTS, MODELS
from vss.streams.activation_writer import ActivationWriter
from vss.streams.topic_admin import create_topics
from vss.workers.activation.following import Following
from vss.workers.activation.operator import prepare_activation, prepare_rollback


@pytest.fixture
def kafka(bootstrap_servers: str) -> KafkaSettings:
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"{uuid.uuid4().hex}.")
    create_topics(settings, [MODELS, MODEL_VERDICTS, MODEL_EVENTS])
    return settings


@dataclass
class Operator:
    """Somebody at `vss models`, and what the log says."""

    kafka: KafkaSettings
    store: Path
    writer: ActivationWriter

    @property
    def settings(self) -> Settings:
        return Settings(kafka=self.kafka, model=ModelSettings(store=str(self.store), threads=1))

    def activate(self, version: str, percent: int = 100, limits: ServingLimits | None = None) -> ModelActivation:
        change = prepare_activation(self.settings, "gate", version, percent=percent, limits=limits)
        self.writer.activation(change.activation)
        return change.activation

    def roll_back(self) -> ModelActivation:
        change = prepare_rollback(self.settings, "gate")
        self.writer.activation(change.activation)
        return change.activation

    def events(self) -> list[ModelEvent]:
        records = read_committed(self.kafka.bootstrap_servers, MODEL_EVENTS.name(self.kafka.topic_prefix))
        return [decode_event(ModelEvent, record.value) for record in records]

    def verdicts(self) -> list[ModelVerdict]:
        records = read_committed(self.kafka.bootstrap_servers, MODEL_VERDICTS.name(self.kafka.topic_prefix))
        return [decode_event(ModelVerdict, record.value) for record in records]

    def wait_for(self, activation: ModelActivation, kind: str, count: int = 1) -> list[ModelEvent]:
        """Events of a kind about an activation, once there are so many."""
        found: list[ModelEvent] = []

        def there() -> bool:
            found[:] = [e for e in self.events() if e.activation_id == activation.id and e.kind == kind]
            return len(found) >= count

        wait_until(there)
        return found


@dataclass
class Worker:
    """What a worker has of models."""

    serving: Serving
    following: Following
    metrics: Metrics

    def ask(self, key: str = "camera", brightness: int = 200, model: str | None = None) -> str:
        """The version that answers; raises what it raises."""
        picture = Picture.decoded(np.full((64, 64, 3), brightness, np.uint8))
        [future] = self.serving.submit([Request(picture, key.encode(), "detection", model)])
        return future.result(30).version

    def swaps(self, result: str) -> float:
        return (
            self.metrics.registry.get_sample_value("vss_model_swaps_total", {"model_name": "gate", "result": result})
            or 0
        )


@pytest.fixture
def operator(kafka: KafkaSettings, tmp_path: Path) -> Iterator[Operator]:
    # One for all records: a producer takes half a second before its first.
    with ActivationWriter(kafka) as writer:
        yield Operator(kafka, tmp_path / "models", writer)


@pytest.fixture
def start(operator: Operator) -> Iterator[Callable[..., Worker]]:
    """Starts a worker's models and serves one."""
    with ExitStack() as workers:

        def make(spec: str = "gate", routes: dict[str, str] | None = None) -> Worker:
            metrics, logger = Metrics(), get_logger("test")
            model = operator.settings.model.model_copy(update={"routes": routes or {}})
            serving = Serving.of(model, metrics=metrics, logger=logger)
            workers.callback(serving.close)
            following = Following(serving, operator.kafka, group="workers", metrics=metrics, logger=logger)
            workers.enter_context(following)
            following.serve(spec, "detection")
            return Worker(serving, following, metrics)

        yield make
