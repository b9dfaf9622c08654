"""Which models are served, and by which of their versions: the one thing that a swap changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

from vss.metrics import Metrics
from vss.model_store.layout import is_file_spec, is_valid_name, version_number
from vss.model_store.resolve import LATEST
from vss.model_store.serving.loaded import LoadedModels
from vss.model_store.serving.plan import ModelVersion, Plan
from vss.schemas.models import ModelActivation


class Spec(NamedTuple):
    """What somebody asks for, taken apart.

    Attributes:
        name: Of the model; of a file its path.
        version: None leaves it to activations.
        is_file: Whether it is a file outside the store.
    """

    name: str
    version: str | None
    is_file: bool


def parse_spec(spec: str) -> Spec:
    """Takes `NAME`, `NAME@VERSION`, `NAME@latest` or a path apart."""
    if is_file_spec(spec):
        return Spec(spec, None, is_file=True)
    name, at, version = spec.partition("@")
    return Spec(name, version if at else None, is_file=False)


def may_come_from_records(spec: str) -> bool:
    """Whether a record may ask for it: a name of the store and perhaps a number, never a file."""
    name, version, is_file = parse_spec(spec)
    known = version is None or version == LATEST or version_number(version) is not None
    return not is_file and is_valid_name(name) and known


class Ended(NamedTuple):
    """An activation whose candidate has been judged here."""

    activation_id: str
    passed: bool


class Plans:
    """The plan of each model that is served. Thread-safe; whoever needs several to fit together holds `lock`.

    Args:
        loaded: What no plan needs any more is retired there.
        metrics: Shows who serves.

    Attributes:
        lock: Held while plans change, and while a micro-batch is dealt out: it sees one state of them.
        activations: The latest activation of each model, and whether a verdict ended it; of models that nobody asks
            for as well.
        ended: The activation of each model that was judged here.
        trusted: What the operator named, as written; all else came from records.
    """

    def __init__(self, loaded: LoadedModels, metrics: Metrics) -> None:
        self.lock = threading.RLock()
        self.activations: dict[str, tuple[ModelActivation, bool]] = {}
        self.ended: dict[str, Ended] = {}
        self.trusted: set[str] = set()
        self._loaded = loaded
        self._metrics = metrics
        self._plans: dict[str, Plan] = {}

    def get(self, spec: str) -> Plan | None:
        """The plan of what was asked for, as written."""
        return self._plans.get(spec)

    def put(self, spec: str, plan: Plan, *, instead_of: Plan | None) -> bool:
        """Lets a plan hold from now on; returns False, and does nothing, where another one than `instead_of` holds."""
        with self.lock:
            if self._plans.get(spec) is not instead_of:
                return False
            self._plans[spec] = plan
            self.hold(spec)
            self._loaded.retire(set(instead_of.versions() if instead_of is not None else ()) - self.needed())
            if spec in self.trusted or spec == plan.name:  # what records pin is no share of keys
                self._show(instead_of, plan)
            return True

    def hold(self, spec: str, also: Sequence[ModelVersion] = ()) -> None:
        """Pins what must not go while the plan of a spec holds: both versions while one is judged.

        Args:
            spec: As written.
            also: What must not go either, until this is called again.
        """
        with self.lock:
            plan = self._plans.get(spec)
            judged = plan.versions() if plan is not None and plan.judge is not None else ()
            self._loaded.pin(spec, {*judged, *also})

    def needed(self) -> set[ModelVersion]:
        """All versions that some plan sends records to."""
        with self.lock:
            return {version for plan in self._plans.values() for version in plan.versions()}

    def _show(self, before: Plan | None, now: Plan) -> None:
        shares = now.shares()
        for version in before.shares() if before is not None else ():
            if version not in shares:
                self._metrics.model_serving.remove(now.name, version)
        for version, share in shares.items():
            self._metrics.model_serving.labels(now.name, version).set(share)
