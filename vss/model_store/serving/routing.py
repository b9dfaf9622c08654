"""From a record's header and key to the model that it asks for."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from functools import lru_cache


class Router:
    """Finds the model of a request: its header, else the first pattern that fits its key, else its task's default.

    Args:
        routes: Pattern of keys to model, for the first task that gets a default.
        by_header: Whether a request may name its model.
    """

    def __init__(self, routes: Mapping[str, str], *, by_header: bool) -> None:
        self._by_header = by_header
        self._routes = [(re.compile(fnmatch.translate(pattern)), spec) for pattern, spec in routes.items()]
        self._defaults: dict[str, str] = {}
        self._routed_task: str | None = None
        # Keys are cameras: few, and each comes again and again.
        self._by_pattern = lru_cache(4096)(self._matching)

    def set_default(self, task: str, spec: str) -> bool:
        """The first model of a task is its default; returns whether the routes are for that task."""
        self._defaults.setdefault(task, spec)
        if self._routed_task is None:
            self._routed_task = task
        return self._routed_task == task

    def spec_for(self, key: bytes, task: str, model: str | None) -> str | None:
        """What a request asks for, as written; None where nothing serves its task."""
        if model is not None and self._by_header:
            return model
        if self._routes and task == self._routed_task and (spec := self._by_pattern(key)) is not None:
            return spec
        return self._defaults.get(task)

    def routes(self, task: str) -> bool:
        """Whether keys of a task choose their model."""
        return bool(self._routes) and task == self._routed_task

    def _matching(self, key: bytes) -> str | None:
        text = key.decode("utf-8", "replace")
        return next((spec for pattern, spec in self._routes if pattern.match(text)), None)
