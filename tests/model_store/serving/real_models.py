"""A small store of tiny real models, and a server over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import structlog

from tests.model_store.detection.tiny_models import SIDE, write_model, yolov8_output
from vss.config import ModelSettings
from vss.metrics import Metrics
from vss.model_store.manifest import Manifest
from vss.model_store.runner.picture import Picture
from vss.model_store.serving.requests import Request
from vss.model_store.serving.result_cache import ResultCache
from vss.model_store.serving.serving import Serving
from vss.model_store.store import ModelStore
from vss.schemas.models import ModelActivation, ServingLimits

SILENT = structlog.wrap_logger(
    structlog.PrintLogger(), processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)]
)
NAMES = {"names": "{0: 'cat', 1: 'dog'}"}


def settings_of(folder: Path, **settings: object) -> ModelSettings:
    return ModelSettings.model_validate({"store": str(folder / "store"), "threads": 2, "device": "cpu"} | settings)


def add_model(folder: Path, name: str, *, x: float = 32, score: float = 0.9, manifest: Manifest | None = None) -> str:
    """The next version of a model, which sees one dog, centred at `x` and so sure; returns its number."""
    file = write_model(folder / f"{name}.onnx", yolov8_output((x, 32, 16, 8, 1, score)), metadata=NAMES)
    kept = manifest if manifest is not None else Manifest()
    return ModelStore.of(settings_of(folder)).add(file, name, kept, check=lambda _: None).version


def serving_of(
    folder: Path, *, metrics: Metrics | None = None, cache: ResultCache | None = None, **settings: object
) -> Serving:
    kept = metrics if metrics is not None else Metrics()
    return Serving.of(settings_of(folder, **settings), metrics=kept, logger=SILENT, cache=cache)


def request(key: str = "cam", *, model: str | None = None, level: int = 0, content: bytes | None = None) -> Request:
    image = np.full((SIDE, SIDE, 3), level, np.uint8)
    return Request(Picture.decoded(image), key.encode(), "detection", model, content)


def activation(
    name: str,
    version: str,
    *,
    stable: str | None = None,
    percent: int = 100,
    limits: ServingLimits | None = None,
    id: str | None = None,  # noqa: A002 - the field's name
) -> ModelActivation:
    return ModelActivation(
        id=id if id is not None else f"{name}-{version}-{percent}",
        name=name,
        version=version,
        percent=percent,
        stable=stable,
        history=(),
        limits=limits,
        reason="",
        timestamp="2026-01-01T00:00:00Z",
    )


def places(served: Any) -> float:
    """Where the dog is."""
    return float(served.answer.value[0].center[0])
