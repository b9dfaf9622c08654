"""How another version takes over: it is loaded, warm and proven beside the one that serves, before it answers anything.

All here but `broken` and `passed` runs on the loader's thread, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from vss.errors import ModelNotFound, ModelUnsupported, StoreUnavailable, UsageError
from vss.logs import Logger
from vss.model_store.resolve import LATEST
from vss.model_store.serving.finder import Finder
from vss.model_store.serving.loaded import LoadedModels
from vss.model_store.serving.loading import ModelLoader
from vss.model_store.serving.plan import Plan, plan_of
from vss.model_store.serving.plans import Ended, Plans, parse_spec
from vss.schemas.models import ModelActivation


@dataclass(frozen=True, slots=True)
class SwapResult:
    """What became of an activation on this worker.

    Attributes:
        swapped: Whether it holds now; also where it held before, or will when somebody asks for the model.
        serving: The version that serves all keys but a canary's from now on; None where that is not known yet.
        reason: Why it does not hold; empty where it does.
        may_pass: Whether it may hold when it is applied again: the store did not answer.
    """

    swapped: bool
    serving: str | None
    reason: str = ""
    may_pass: bool = False


@dataclass(frozen=True, slots=True)
class Breach:
    """An activated version broke its limits; its stable one serves again.

    Attributes:
        activation: That is given up here.
        reason: Which limit, and by how much.
    """

    activation: ModelActivation
    reason: str


class Swaps:
    """Opens models and changes their versions.

    Args:
        plans: Who serves.
        loader: Loads.
        loaded: What is loaded.
        finder: Knows the store's names.
        on_fall_back: Called when a model is opened with the stable version, for the activated one cannot serve.
        logger: Told of them.
    """

    def __init__(
        self,
        *,
        plans: Plans,
        loader: ModelLoader,
        loaded: LoadedModels,
        finder: Finder,
        on_fall_back: Callable[[ModelActivation, SwapResult], None],
        logger: Logger,
    ) -> None:
        self._on_fall_back = on_fall_back
        self._plans = plans
        self._loader = loader
        self._loaded = loaded
        self._finder = finder
        self._logger = logger

    def open(self, spec: str, task: str) -> SwapResult:
        """Loads what is asked for and lets it serve.

        Returns:
            What became of the model's activation, where it has one and the spec is a bare name.

        Raises:
            ModelError: It cannot be served, nor the stable version of its activation.
            ConfigError: Its manifest or a setting does not fit.
            StoreUnavailable: The store does not answer.
        """
        if (plan := self._plans.get(spec)) is not None:
            if plan.task != task:
                raise ModelUnsupported(f"model {spec} is for {plan.task}, not for {task}", fix=f"name one for {task}")
            return SwapResult(True, plan.base)
        name, version, is_file = parse_spec(spec)
        if not is_file and spec not in self._plans.trusted and not self._finder.knows(name):
            raise ModelNotFound(f"no model {name!r} in the store")
        reason = ""
        with self._plans.lock:
            remembered = self._plans.activations.get(name) if version is None and not is_file else None
        if remembered is None:
            found = self._loader.load(name, version or LATEST, task, file=Path(name).expanduser() if is_file else None)
            plan = Plan(found.name, task, found.version)
        else:
            plan, reason = self._open_activated(*remembered, task)
        self._plans.put(spec, plan, instead_of=None)
        return SwapResult(not reason, plan.base, reason)

    def swap(self, activation: ModelActivation, *, given_up: bool, wanted: Callable[[], bool]) -> SwapResult:
        """Lets an activation hold.

        Args:
            activation: An operator's word.
            given_up: Whether a verdict has ended it.
            wanted: Whether somebody still waits for this; without, nothing is switched.
        """
        while (before := self._plans.get(activation.name)) is not None:
            target = self._target(activation, before.task, serving=before.base, given_up=given_up)
            if target.same_as(before):
                return SwapResult(True, before.base)
            # Neither what serves nor what has just been loaded must go to make room for the rest.
            self._plans.hold(activation.name, before.versions() + target.versions())
            try:
                target = self._load_all(target, before)
            except (UsageError, StoreUnavailable) as error:
                return self._refused(before, activation, str(error), may_pass=isinstance(error, StoreUnavailable))
            finally:
                self._plans.hold(activation.name)
                self._loaded.sweep()  # a candidate may have been given up in the meantime
            if not wanted():
                return self._refused(before, activation, "it took too long", may_pass=True)
            # Where a candidate has been judged in the meantime, once more from there.
            if self._plans.put(activation.name, target, instead_of=before):
                self._loaded.sweep()
                self._logger.info("model swapped", model=target.name, shares=target.shares())
                return SwapResult(True, target.base)
        return SwapResult(True, None)  # nobody has asked for the model

    def broken(self, plan: Plan) -> Breach | None:
        """The candidate breaks its limits: the stable version serves all keys at once. From any thread.

        Returns:
            What to tell the fleet; None where another plan holds already.
        """
        if plan.judge is None or plan.activation is None:
            return None
        if not self._end(plan, plan.without_candidate(), passed=False):
            return None
        self._logger.warning(
            "model rolled back", model=plan.name, version=plan.candidate, serving=plan.stable, reason=plan.judge.reason
        )
        return Breach(plan.activation, plan.judge.reason)

    def passed(self, plan: Plan) -> None:
        """The candidate has kept its limits for long enough: the version before it goes. From any thread."""
        if self._end(plan, plan.settled(), passed=True):
            self._logger.info("model has kept its limits", model=plan.name, version=plan.candidate)

    def _end(self, plan: Plan, then: Plan, *, passed: bool) -> bool:
        with self._plans.lock:
            if not self._plans.put(plan.name, then, instead_of=plan):
                return False
            if plan.activation is not None:
                self._plans.ended[plan.name] = Ended(plan.activation.id, passed)
            return True

    def _target(self, activation: ModelActivation, task: str, *, serving: str | None, given_up: bool) -> Plan:
        ended = self._plans.ended.get(activation.name)
        if ended is None or ended.activation_id != activation.id:
            return plan_of(activation, task, serving=serving, given_up=given_up)
        plan = plan_of(activation, task, serving=serving, given_up=given_up or not ended.passed)
        return plan.settled() if ended.passed and plan.judge is not None else plan

    def _load_all(self, plan: Plan, before: Plan | None) -> Plan:
        """Loads what a plan needs; where only its stable version cannot be had, the one that serves stays instead."""
        try:
            self._loader.load(plan.name, plan.stable, plan.task)
        except UsageError as error:
            if plan.candidate is None or before is None or plan.stable == before.base:
                raise
            self._logger.warning("stable version cannot be loaded", model=plan.name, reason=str(error))
            plan = replace(plan, stable=before.base)
        if plan.candidate is not None and plan.candidate != plan.stable:
            self._loader.load(plan.name, plan.candidate, plan.task)
        return plan

    def _open_activated(self, activation: ModelActivation, given_up: bool, task: str) -> tuple[Plan, str]:
        plan = self._target(activation, task, serving=None, given_up=given_up)
        self._plans.hold(plan.name, plan.versions())
        try:
            return self._load_all(plan, None), ""
        except UsageError as error:
            if activation.stable is None or plan.versions() == [(plan.name, activation.stable)]:
                raise
            reason = str(error)
        finally:
            self._plans.hold(plan.name)
        self._logger.warning("falls back", model=plan.name, serving=activation.stable, reason=reason)
        self._loader.load(plan.name, activation.stable, task)
        self._on_fall_back(activation, SwapResult(False, activation.stable, reason))
        return Plan(plan.name, task, activation.stable, activation=activation), reason

    def _refused(self, before: Plan, activation: ModelActivation, reason: str, *, may_pass: bool = False) -> SwapResult:
        serving = (self._plans.get(before.name) or before).base  # a candidate may have gone in the meantime
        self._logger.warning(
            "swap refused", model=before.name, version=activation.version, serving=serving, reason=reason
        )
        return SwapResult(False, serving, reason, may_pass)
