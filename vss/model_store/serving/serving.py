"""All models of one worker behind one `submit`: routed, grouped, cached, swapped while they serve."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from vss.clock import Clock, SystemClock
from vss.config import ModelSettings
from vss.errors import ModelUnsupported
from vss.logs import Logger
from vss.metrics import Metrics
from vss.model_store.runner.open import open_runner
from vss.model_store.runner.runner import model_threads
from vss.model_store.runner.threads import Threads, WorkThreads
from vss.model_store.runner.window_runner import WindowRunner
from vss.model_store.serving.beside import Beside
from vss.model_store.serving.dealing import Dealer
from vss.model_store.serving.finder import Finder, StoreFinder
from vss.model_store.serving.loaded import LoadedModels
from vss.model_store.serving.loading import ModelLoader, OpenRunner
from vss.model_store.serving.memory import AcceleratorMemory, open_memory
from vss.model_store.serving.plan import ModelVersion
from vss.model_store.serving.plans import Plans
from vss.model_store.serving.refusals import Refusals
from vss.model_store.serving.requests import Request, Served
from vss.model_store.serving.result_cache import ResultCache, identity_of
from vss.model_store.serving.routing import Router
from vss.model_store.serving.swap import Breach, SwapResult, Swaps
from vss.model_store.serving.windows import Scoring
from vss.model_store.tasks.series.imputing import Windows
from vss.model_store.tasks.series.spec import SeriesSpec
from vss.schemas.models import ModelActivation

__all__ = ["Breach", "Serving", "SwapResult"]

LOAD_LIMIT_S: Final = 600.0
"""A download, or PyTorch's compiler, takes minutes; what takes longer than this hangs."""


class Serving:
    """Serves any number of models (see `Server`). Make it with `of`; `submit` belongs to one thread.

    Args:
        settings: Limits and routes.
        finder: Where models come from.
        open_runner: Loads one.
        loads: The thread on which models are loaded, never the loop's.
        calls: The threads that models run on; closed with this.
        memory: Of the accelerator; None where models run on the CPU.
        cache: Where answers are kept; None keeps none.
        metrics: Where everything is counted.
        clock: For waits and durations.
        random: For the jitter of waits.
        logger: For what a person wants to know.

    Attributes:
        on_breach: Called once for an activation whose version broke its limits here, on the loader's thread. The
            stable version serves already.
        on_fall_back: Called when a model is opened and the version that its activation names cannot serve, on the
            loader's thread; whether at the start, for a route, or because a record asks for it.
    """

    def __init__(
        self,
        settings: ModelSettings,
        *,
        finder: Finder,
        open_runner: OpenRunner,
        loads: Threads,
        calls: Threads,
        memory: AcceleratorMemory | None,
        cache: ResultCache | None,
        metrics: Metrics,
        clock: Clock,
        random: random.Random,
        logger: Logger,
    ) -> None:
        self.on_breach: Callable[[Breach], None] = lambda _: None
        self.on_fall_back: Callable[[ModelActivation, SwapResult], None] = lambda _activation, _result: None
        self._settings = settings
        self._calls = calls
        self._stop = threading.Event()
        self._loaded = LoadedModels(settings, memory=memory, metrics=metrics, clock=clock)
        loader = ModelLoader(
            finder=finder,
            open_runner=open_runner,
            loaded=self._loaded,
            settings=settings,
            on_accelerator=memory is not None,
            identify=partial(identity_of, settings=settings) if cache is not None else None,
            metrics=metrics,
            clock=clock,
            random=random,
            stop=self._stop,
            logger=logger,
        )
        self._plans = Plans(self._loaded, metrics)
        self._swaps = Swaps(
            plans=self._plans,
            loader=loader,
            loaded=self._loaded,
            finder=finder,
            on_fall_back=lambda activation, result: self.on_fall_back(activation, result),
            logger=logger,
        )
        self._router = Router(settings.routes, by_header=settings.route_by_header)
        self._beside = Beside(loads, logger)
        self._dealer = Dealer(
            plans=self._plans,
            swaps=self._swaps,
            loader=loader,
            loaded=self._loaded,
            router=self._router,
            refusals=Refusals(clock),
            beside=self._beside,
            cache=cache,
            max_group=settings.max_group,
            on_breach=lambda breach: self.on_breach(breach),
        )

    @classmethod
    def of(
        cls,
        settings: ModelSettings,
        *,
        metrics: Metrics,
        logger: Logger,
        clock: Clock | None = None,
        cache: ResultCache | None = None,
        finder: Finder | None = None,
    ) -> Serving:
        """Serving from the store that the settings name. Nothing is loaded yet.

        Args:
            settings: The store, limits and routes.
            metrics: Where everything is counted.
            logger: For what a person wants to know.
            clock: For waits and durations.
            cache: Where answers are kept; None keeps none. Whoever made it closes it.
            finder: Where models come from; the settings' store by default.
        """
        clock = clock if clock is not None else SystemClock()
        calls = model_threads(settings)
        return cls(
            settings,
            finder=finder if finder is not None else StoreFinder(settings, clock, metrics),
            open_runner=lambda ref: open_runner(ref, settings, metrics=metrics, threads=calls),
            loads=WorkThreads(1, name="load", limit_s=LOAD_LIMIT_S),
            calls=calls,
            memory=open_memory(settings),
            cache=cache,
            metrics=metrics,
            clock=clock,
            random=random.Random(),  # noqa: S311 - jitter
            logger=logger,
        )

    def serve(self, spec: str, task: str) -> SwapResult:
        """Loads a model, and with the first of them what the routes name; waits for it.

        Args:
            spec: `NAME`, which follows activations; `NAME@VERSION` or a file, which do not.
            task: What it must do. The first model of a task answers the requests that name none.

        Returns:
            What became of the model's activation: not swapped where its stable version serves instead.

        Raises:
            ModelError: It cannot be served.
            ConfigError: Its manifest or a setting does not fit.
            StoreUnavailable: The store does not answer.
        """
        result = self._open_now(spec, task)
        if self._router.set_default(task, spec):
            for routed in self._settings.routes.values():
                self._open_now(routed, task)
        return result

    def apply(self, activation: ModelActivation, *, given_up: bool) -> Future[SwapResult]:
        """Lets another version take over between two calls of `submit`, once it is loaded, warm and proven.

        The activation of a model that nobody has asked for is remembered until somebody does. May be called from any
        thread.

        Args:
            activation: An operator's word.
            given_up: Whether a verdict has ended it: its stable version serves all keys.

        Returns:
            What became of it. A version that cannot be served leaves the one before it serving, and raises nothing.
        """
        with self._plans.lock:
            self._plans.activations[activation.name] = (activation, given_up)
        return self._beside.start(lambda wanted: self._swaps.swap(activation, given_up=given_up, wanted=wanted))

    def submit(self, requests: Sequence[Request]) -> list[Future[Served[Any]]]:
        """See `Server.submit`. All see the same versions: another takes over between two calls of this.

        Returns:
            One future a request. It raises a `BadRecord` of its picture, `UnknownModel`, `InferenceFailed`,
            `InferenceTimedOut` or, where its model went out of memory and cannot be had now, `StoreUnavailable`.
        """
        return self._dealer.submit(requests)

    def submit_windows(
        self, windows: Windows, keys: Sequence[bytes], models: Sequence[str | None] | None, task: str
    ) -> list[Scoring]:
        """See `WindowServer.submit_windows`; otherwise as `submit`."""
        return self._dealer.submit_windows(windows, keys, models, task)

    def series_spec(self, spec: str, task: str) -> SeriesSpec:
        """What windows a series model looks at that was opened with `serve`; all others here look at the same.

        Args:
            spec: As `serve` was given it.
            task: What it does.

        Raises:
            ModelUnsupported: It looks at no windows, or serves no more.
        """
        plan = self._plans.get(spec)
        runner = (
            self._loaded.runner_of(ModelVersion(plan.name, plan.base))
            if plan is not None and plan.task == task
            else None
        )
        if not isinstance(runner, WindowRunner):
            raise ModelUnsupported(f"{spec} is no model for {task} that serves readings of sensors", fix="name one")
        return runner.spec

    def problems(self) -> list[str]:
        """Why this process should be replaced; empty when it is well. From any thread."""
        return self._calls.problems() + self._beside.problems()

    def close(self) -> None:
        """See `Server.close`."""
        self._stop.set()
        self._beside.close()
        self._calls.close()
        self._loaded.close()

    # Loading.

    def _open_now(self, spec: str, task: str) -> SwapResult:
        self._plans.trusted.add(spec)
        return self._beside.start(lambda _: self._swaps.open(spec, task)).result()
