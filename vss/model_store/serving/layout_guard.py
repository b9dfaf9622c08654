"""One layout of windows a worker: what it keeps of its sensors fits the models that it began with, and no others."""

from __future__ import annotations

from vss.errors import ModelUnsupported
from vss.model_store.serving.plan import ModelVersion
from vss.model_store.tasks.series.spec import Layout, SeriesSpec, differing_layout


class LayoutGuard:
    """Remembers the layout of the first series model that was loaded. Used by the loader's thread alone."""

    def __init__(self) -> None:
        self._first: tuple[ModelVersion, Layout] | None = None

    def require(self, version: ModelVersion, spec: SeriesSpec) -> None:
        """Holds a version against what is served.

        Raises:
            ModelUnsupported: It looks at other windows.
        """
        if self._first is None:
            return
        first, layout = self._first
        if differing := differing_layout(layout, spec.layout):
            raise ModelUnsupported(
                f"{version} looks at other windows than {first}, which this worker keeps them for: {differing};"
                " restart the group to serve it",
                fix="activate it for all keys, without limits, and restart the group's workers",
            )

    def keep(self, version: ModelVersion, spec: SeriesSpec) -> None:
        """A version serves; the first says what all others must fit."""
        if self._first is None:
            self._first = version, spec.layout
