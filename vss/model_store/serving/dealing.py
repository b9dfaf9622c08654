"""From requests to the models that answer them: routed, grouped by version, answered from the cache, handed out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from vss.errors import BadRecord, StoreUnavailable, UnknownModel, UsageError
from vss.model_store.runner.futures import end_cancelled, fail, settle
from vss.model_store.runner.window_runner import WindowRunner
from vss.model_store.serving.beside import Beside
from vss.model_store.serving.judge import Judge, Judgement
from vss.model_store.serving.loaded import LoadedModel, LoadedModels
from vss.model_store.serving.loaded_runner import LoadedRunner
from vss.model_store.serving.loading import ModelLoader
from vss.model_store.serving.plan import ModelVersion, Plan
from vss.model_store.serving.plans import Plans, may_come_from_records
from vss.model_store.serving.promise import ServedFuture
from vss.model_store.serving.refusals import Refusals
from vss.model_store.serving.requests import Request, Served
from vss.model_store.serving.result_cache import AnswerCodec, ResultCache, cache_key
from vss.model_store.serving.routing import Router
from vss.model_store.serving.sharing import shares
from vss.model_store.serving.swap import Breach, SwapResult, Swaps
from vss.model_store.serving.windows import Scoring, WindowsRequest
from vss.model_store.tasks.series.imputing import Windows
from vss.model_store.tasks.series.results import ScoredWindows


@dataclass(eq=False, slots=True)
class _Item:
    request: Request | WindowsRequest
    future: ServedFuture[Any]
    # Where its answer goes in the result cache.
    key: str | None = None


@dataclass(eq=False, slots=True)
class _Group:
    """Requests of a micro-batch that one version answers."""

    plan: Plan
    version: ModelVersion
    trusted: bool
    items: list[_Item] = field(default_factory=list)
    model: LoadedModel | None = None

    @property
    def judge(self) -> Judge | None:
        return self.plan.judge if self.version.version == self.plan.candidate else None


class Dealer:
    """Deals requests out to models.

    Args:
        plans: Who serves.
        swaps: Opens models that records ask for, and ends what a judge has judged.
        loader: Brings back what went out of memory.
        loaded: What is in memory.
        router: Which model a request asks for.
        refusals: What was asked for in vain.
        beside: Does work on the loader's thread.
        cache: Where answers are kept; None keeps none.
        max_group: Requests that a model gets at once.
        on_breach: Told of a version that broke its limits, on the loader's thread.
    """

    def __init__(
        self,
        *,
        plans: Plans,
        swaps: Swaps,
        loader: ModelLoader,
        loaded: LoadedModels,
        router: Router,
        refusals: Refusals,
        beside: Beside,
        cache: ResultCache | None,
        max_group: int,
        on_breach: Callable[[Breach], None],
    ) -> None:
        self._plans = plans
        self._swaps = swaps
        self._loader = loader
        self._loaded = loaded
        self._router = router
        self._refusals = refusals
        self._beside = beside
        self._cache = cache
        self._max_group = max_group
        self._on_breach = on_breach
        # Requests whose model is being loaded: by what they ask for, and by the version that went out of memory.
        self._opening: dict[tuple[str, str], list[_Item]] = {}
        self._reloading: dict[ModelVersion, list[_Group]] = {}
        self._codecs: dict[int, AnswerCodec | None] = {}

    def submit(self, requests: Sequence[Request]) -> list[Future[Served[Any]]]:
        """See `Server.submit`."""
        items = [_Item(request, ServedFuture()) for request in requests]
        self._deal_out(lambda: items)
        return [item.future for item in items]

    def submit_windows(
        self, windows: Windows, keys: Sequence[bytes], models: Sequence[str | None] | None, task: str
    ) -> list[Scoring]:
        """See `WindowServer.submit_windows`."""
        scorings: list[Scoring] = []

        def share_out() -> list[_Item]:
            items = []
            for places, model in shares(self._router, self._plans, keys, models, task):
                part = windows if len(places) == len(windows) else windows[places]
                item = _Item(WindowsRequest(part, keys[places[0]], task, model), ServedFuture[ScoredWindows]())
                scorings.append(Scoring(places, item.future))
                items.append(item)
            return items

        self._deal_out(share_out)
        return scorings

    def _deal_out(self, make: Callable[[], Sequence[_Item]]) -> None:
        groups: dict[tuple[Plan, ModelVersion], _Group] = {}
        to_open: list[tuple[str, str]] = []
        refused: list[tuple[_Item, str]] = []
        with self._plans.lock:
            for item in make():
                self._sort(item, groups, to_open, refused)
            for group in groups.values():
                group.model = self._loaded.lease(group.version, len(group.items))
        # Whoever follows a future may submit again: never with the lock held.
        for item, why in refused:
            fail(item.future, UnknownModel(why))
        for asked_for in to_open:
            self._open_beside(*asked_for)
        ready = [group for group in groups.values() if group.model is not None]
        if self._cache is not None:
            self._answer_from_cache(self._cache, ready)
        for group in groups.values():
            if group.model is None:
                self._reload(group)
            else:
                self._start(group, group.model)

    def _sort(
        self,
        item: _Item,
        groups: dict[tuple[Plan, ModelVersion], _Group],
        to_open: list[tuple[str, str]],
        refused: list[tuple[_Item, str]],
    ) -> None:
        request = item.request
        spec = self._router.spec_for(request.key, request.task, request.model)
        plan = self._plans.get(spec) if spec is not None else None
        if plan is not None and plan.task == request.task:
            version = plan.version_for(request.key)
            group = groups.get((plan, version))
            if group is None:
                group = groups[(plan, version)] = _Group(plan, version, spec in self._plans.trusted)
            group.items.append(item)
        elif plan is not None:
            refused.append((item, f"model {spec} is for {plan.task}, not for {request.task}"))
        elif spec is None or not may_come_from_records(spec):
            refused.append((item, f"{spec!r} is no model of the store" if spec else f"no model is for {request.task}"))
        elif (why := self._refusals.why(spec, request.task)) is not None:
            refused.append((item, why))
        elif (waiting := self._opening.get((spec, request.task))) is not None:
            waiting.append(item)
        else:
            self._opening[(spec, request.task)] = [item]
            to_open.append((spec, request.task))

    def _start(self, group: _Group, model: LoadedModel) -> None:
        """Has a loaded model, held for all of the group, answer it."""
        for start in range(0, len(group.items), self._max_group):
            items = group.items[start : start + self._max_group]
            try:
                answers = _ask(model.runner, items)
            except Exception as error:  # whatever it is, nobody shall wait for these
                self._let_go(model, len(items))
                for item in items:
                    fail(item.future, error)
                continue
            for item, answer in zip(items, answers, strict=True):
                item.future.followed = answer
                answer.add_done_callback(partial(self._hand_on, item, group, model))

    def _hand_on(self, item: _Item, group: _Group, model: LoadedModel, answer: Future[Any]) -> None:
        self._let_go(model, 1)
        if answer.cancelled():
            end_cancelled(item.future)
            return
        error = answer.exception()
        if group.judge is not None:
            self._judge(group.judge, group.plan, answer, error)
        if error is not None:
            fail(item.future, error)
            return
        try:
            if self._cache is not None and item.key is not None and (codec := self._codec(model)) is not None:
                kept = codec.encode(answer.result())
                if kept is not None:
                    self._cache.put({item.key: kept})
        finally:  # what a callback raises is passed over, and nobody may wait for ever for what could not be kept
            given = answer.result()
            settle(item.future, given if isinstance(given, ScoredWindows) else Served(given, *model.key))

    def _let_go(self, model: LoadedModel, count: int) -> None:
        if self._loaded.release(model, count):
            self._beside.do(self._loaded.sweep)

    def _judge(self, judge: Judge, plan: Plan, answer: Future[Any], error: BaseException | None) -> None:
        if isinstance(error, BadRecord):
            return  # the picture's fault, not the model's
        for judgement in _judged(judge, answer, error):
            self._follow(judgement, judge, plan)

    def _follow(self, judgement: Judgement, judge: Judge, plan: Plan) -> None:
        if judgement is Judgement.BROKEN and (breach := self._swaps.broken(plan)) is not None:
            self._beside.do(lambda: self._on_breach(breach))
            self._beside.do(self._loaded.sweep)
        elif judgement is Judgement.PASSED:
            self._swaps.passed(plan)
            self._beside.do(self._loaded.sweep)

    # The result cache.

    def _answer_from_cache(self, cache: ResultCache, groups: Sequence[_Group]) -> None:
        """Answers what was answered before, and takes it out of the groups."""
        asked = [
            (group, group.model, item, request, cache_key(group.model.identity, request.content, request.picture))
            for group in groups
            for item in group.items
            if group.model is not None
            and isinstance(request := item.request, Request)  # windows never come twice
            and request.content is not None
        ]
        if not asked:
            return
        for (group, model, item, request, key), kept in zip(asked, cache.get([key for *_, key in asked]), strict=True):
            codec = self._codec(model) if kept is not None else None
            answer = codec.decode(kept, request.picture) if codec is not None and kept is not None else None
            if answer is None:
                item.key = key
            else:
                group.items.remove(item)
                self._let_go(model, 1)
                settle(item.future, Served(answer, *model.key, cached=True))

    def _codec(self, model: LoadedModel) -> AnswerCodec | None:
        """Of the model's results; None where the `result_type` of a task of the user's own is none for pydantic."""
        if isinstance(model.runner, WindowRunner):
            return None
        result_type = model.runner.task.result_type
        if id(result_type) not in self._codecs:
            try:
                codec = AnswerCodec(result_type)
            except Exception:  # pydantic's errors for this share no class; such answers are not kept
                codec = None
            self._codecs[id(result_type)] = codec
        return self._codecs[id(result_type)]

    # Models that are not in memory.

    def _open_beside(self, spec: str, task: str) -> None:
        self._beside.do(lambda: self._swaps.open(spec, task), then=partial(self._opened, spec, task))

    def _opened(self, spec: str, task: str, future: Future[SwapResult]) -> None:
        error = future.exception() if not future.cancelled() else StoreUnavailable("the worker stops")
        with self._plans.lock:
            items = self._opening.pop((spec, task), [])
            if error is not None and not isinstance(error, StoreUnavailable):
                self._refusals.add(spec, task, str(error))
        if error is None:
            waiting = [item for item in items if not item.future.cancelled()]
            self._deal_out(lambda: waiting)
            return
        for item in items:
            fail(item.future, error if isinstance(error, StoreUnavailable) else UnknownModel(str(error)))

    def _reload(self, group: _Group) -> None:
        """Brings back what had to go for others."""
        with self._plans.lock:
            waiting = self._reloading.get(group.version)
            if waiting is not None:
                waiting.append(group)
                return
            self._reloading[group.version] = [group]
        name, version = group.version
        self._beside.do(
            lambda: self._loader.load(name, version, group.plan.task), then=partial(self._reloaded, group.version)
        )

    def _reloaded(self, version: ModelVersion, future: Future[ModelVersion]) -> None:
        error = future.exception() if not future.cancelled() else StoreUnavailable("the worker stops")
        with self._plans.lock:
            groups = self._reloading.pop(version, [])
            for group in groups if error is None else ():
                group.model = self._loaded.lease(version, len(group.items))
            if version not in self._plans.needed():
                self._loaded.retire([version])
        for group in groups:
            if error is None and group.model is not None:
                self._start(group, group.model)
            else:
                self._fail_all(group, error or StoreUnavailable(f"{version} went out of memory again"))

    def _fail_all(self, group: _Group, error: BaseException) -> None:
        if isinstance(error, UsageError) and not group.trusted:
            error = UnknownModel(str(error))
        for item in group.items:
            fail(item.future, error)


def _ask(runner: LoadedRunner, items: Sequence[_Item]) -> Sequence[Future[Any]]:
    """One future an item; of windows each item has many already."""
    if isinstance(runner, WindowRunner):
        return [runner.submit(item.request.windows) for item in items if isinstance(item.request, WindowsRequest)]
    return runner.submit([item.request.picture for item in items if isinstance(item.request, Request)])


def _judged(judge: Judge, answer: Future[Any], error: BaseException | None) -> Iterator[Judgement]:
    """What the judge says of each record."""
    given = answer.result() if error is None else None
    if isinstance(given, ScoredWindows):
        for place in range(len(given.imputed)):
            yield judge.failed() if place in given.failed else judge.answered(given.call_s)
    else:
        yield judge.answered(given.call_s) if given is not None else judge.failed()
