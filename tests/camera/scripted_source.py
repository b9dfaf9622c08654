"""A source that does what the test says, pass by pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.camera.clips import jpeg_of
from vss.workers.camera.picture import EncodedPicture
from vss.workers.camera.source import Shot

Step = Shot | Exception | Callable[[], None]


def shot(index: int, pts_ns: int | None = None) -> Shot:
    return Shot(EncodedPicture(jpeg_of(index)), pts_ns)


class ScriptedSource:
    """Each opening plays the next script; an exception in the first place is raised by `open`.

    After the last script `on_exhausted` is called at each opening, and the source gives nothing.
    """

    name = "scripted"

    def __init__(
        self, scripts: Sequence[Sequence[Step]], *, live: bool, on_exhausted: Callable[[], None] = lambda: None
    ) -> None:
        self.live = live
        self._scripts = [list(script) for script in scripts]
        self._on_exhausted = on_exhausted
        self.opened = 0
        self.closed = 0

    def open(self) -> ScriptedStream:
        self.opened += 1
        script = self._scripts.pop(0) if self._scripts else []
        if not self._scripts and not script:
            self._on_exhausted()
        if script and isinstance(script[0], Exception):
            raise script[0]
        return ScriptedStream(self, script)


class ScriptedStream:
    def __init__(self, source: ScriptedSource, script: list[Step]) -> None:
        self._source = source
        self._script = script

    def read(self) -> Shot | None:
        while self._script:
            step = self._script.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Shot):
                return step
            step()
        return None

    def close(self) -> None:
        self._source.closed += 1
