"""Opens a model of any task."""

from __future__ import annotations

from typing import Any

from vss.config import ModelSettings
from vss.metrics import Metrics
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import Runner
from vss.model_store.runner.threads import Threads
from vss.model_store.runner.window_runner import WindowRunner
from vss.model_store.tasks.registry import task_kind


def open_runner(
    ref: ModelRef, settings: ModelSettings, *, metrics: Metrics | None = None, threads: Threads | None = None
) -> Runner[Any] | WindowRunner:
    """Loads a model with the runner for what its task takes; see `Runner.load` and `WindowRunner.load`."""
    if task_kind(ref.manifest.task).takes == "series":
        return WindowRunner.load(ref, settings, metrics=metrics, threads=threads)
    return Runner.load(ref, settings, metrics=metrics, threads=threads)
