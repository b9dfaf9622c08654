"""From a version's name to a model in memory that has shown that it can serve."""

from __future__ import annotations

import errno
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from vss.clock import Clock
from vss.config import ModelSettings
from vss.errors import ModelNotFound, ModelUnsupported, StoreUnavailable
from vss.logs import Logger
from vss.metrics import Metrics
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.window_runner import WindowRunner
from vss.model_store.serving.finder import Finder
from vss.model_store.serving.layout_guard import LayoutGuard
from vss.model_store.serving.loaded import LoadedModel, LoadedModels
from vss.model_store.serving.loaded_runner import LoadedRunner
from vss.model_store.serving.memory import estimated_bytes, input_numbers_of
from vss.model_store.serving.plan import ModelVersion
from vss.model_store.serving.smoke import prove

_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0
# What a busy disk, a network file system or a machine short of handles says, and what a second try may not meet again.
_PASSING: Final = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EIO,
        errno.EMFILE,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)

OpenRunner = Callable[[ModelRef], LoadedRunner]


class ModelLoader:
    """Loads models. Used by one thread at a time, never by the loop's.

    Args:
        finder: Where models come from.
        open_runner: Loads one.
        loaded: Where they go.
        settings: How often loading is tried.
        on_accelerator: Whether models run there.
        identify: What a model's answers depend on (see `result_cache`); None where nobody asks.
        metrics: Where it is counted.
        clock: For waits and durations.
        random: For the jitter of waits, so that workers that lost a store do not all come back to it at once.
        stop: Ends waits.
        logger: Told of every try that failed.
    """

    def __init__(
        self,
        *,
        finder: Finder,
        open_runner: OpenRunner,
        loaded: LoadedModels,
        settings: ModelSettings,
        on_accelerator: bool,
        identify: Callable[[ModelRef], bytes] | None,
        metrics: Metrics,
        clock: Clock,
        random: random.Random,
        stop: threading.Event,
        logger: Logger,
    ) -> None:
        self._finder = finder
        self._open_runner = open_runner
        self._loaded = loaded
        self._attempts = settings.load_attempts
        self._on_accelerator = on_accelerator
        self._identify = identify
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._stop = stop
        self._logger = logger
        # Files outside the store, by the version that they were.
        self._files: dict[ModelVersion, Path] = {}
        self._layouts = LayoutGuard()

    def load(self, name: str, version: str, task: str, *, file: Path | None = None) -> ModelVersion:
        """Sees to it that a version is in memory; waits for it.

        Args:
            name: Of the model, in the store.
            version: A number, or `latest`.
            task: What it must do.
            file: Is loaded instead, whatever the name and version.

        Returns:
            Which version that is.

        Raises:
            ModelError: It cannot be served.
            ConfigError: Its manifest or a setting does not fit.
            StoreUnavailable: The store did not answer, however often it was asked.
        """
        key = ModelVersion(name, version)
        if file is None and self._loaded.revive(key):
            return key
        wait_s = _FIRST_WAIT_S
        for attempt in range(1, self._attempts + 1):
            try:
                return self._load(key, task, file or self._files.get(key))
            except Exception as error:
                if not passes(error):
                    self._count(key.name, "failed", error)
                    raise
                if attempt == self._attempts or self._stop.is_set():
                    self._count(key.name, "failed", error)
                    raise _unavailable(key, error) from error
                self._count(key.name, "retried", error)
                self._logger.warning("load is tried again", model=str(key), attempt=attempt, reason=str(error))
                self._clock.wait(self._stop, wait_s * self._random.uniform(0.5, 1.0))
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        raise AssertionError("unreachable")

    def _load(self, key: ModelVersion, task: str, file: Path | None) -> ModelVersion:
        started_s = self._clock.monotonic()
        ref = self._finder.file(file) if file is not None else self._finder.find(key.name, key.version)
        found = ModelVersion(ref.name, ref.version)
        if file is not None:
            self._files[found] = file
        if ref.manifest.task != task:
            raise ModelUnsupported(
                f"model {ref.name} is for {ref.manifest.task}, not for {task}", fix=f"name a model for {task}"
            )
        if self._loaded.revive(found):
            return found
        needed_bytes = estimated_bytes(ref, on_accelerator=self._on_accelerator)
        self._loaded.make_room(found, needed_bytes)
        runner = self._open_runner(ref)
        try:
            if isinstance(runner, WindowRunner):
                self._layouts.require(found, runner.spec)
            prove(runner, ref)
            identity = self._identify(ref) if self._identify is not None else b""
        except BaseException:
            runner.close()
            raise
        held_bytes = estimated_bytes(ref, on_accelerator=self._on_accelerator, input_numbers=input_numbers_of(runner))
        if isinstance(runner, WindowRunner):
            self._layouts.keep(found, runner.spec)
        self._loaded.add(LoadedModel(found, runner, ref, held_bytes, identity))
        took_s = self._clock.monotonic() - started_s
        self._metrics.model_load_seconds.labels(found.name).observe(took_s)
        self._metrics.model_loads.labels(found.name, "ok").inc()
        self._logger.info(
            "model loaded",
            model=found.name,
            version=found.version,
            seconds=round(took_s, 3),
            held_mb=held_bytes >> 20,
            **runner.task.facts,
        )
        return found

    def _count(self, name: str, result: str, error: Exception) -> None:
        # Whatever records ask for must not become labels.
        if not isinstance(error, ModelNotFound):
            self._metrics.model_loads.labels(name, result).inc()


def passes(error: BaseException) -> bool:
    """Whether what failed may succeed when it is tried again."""
    if isinstance(error, StoreUnavailable):
        return True
    return isinstance(error, OSError) and (error.errno in _PASSING or isinstance(error, TimeoutError))


def _unavailable(key: ModelVersion, error: Exception) -> StoreUnavailable:
    if isinstance(error, StoreUnavailable):
        return error
    return StoreUnavailable(f"{key} cannot be read: {error}", fix="check the model store")
