"""A source of readings that does what the test says, pass by pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vss.workers.sensor.sample import Batch, Sample

Step = Batch | Exception | Callable[[], None]


def sample(ts_ms: int, sensor_id: str = "pump", **values: float) -> Sample:
    return Sample(sensor_id, ts_ms, dict(values) or {"n": float(ts_ms)})


class ScriptedSource:
    """Each opening plays the next script; an exception in the first place is raised by `open`.

    When there is no further script `on_exhausted` is called, and the source gives nothing.
    """

    name = "scripted"

    def __init__(
        self, scripts: Sequence[Sequence[Step]], *, live: bool, on_exhausted: Callable[[], None] = lambda: None
    ) -> None:
        self.live = live
        self._scripts = [list(script) for script in scripts]
        self._on_exhausted = on_exhausted

    def open(self) -> ScriptedStream:
        script: list[Step] = self._scripts.pop(0) if self._scripts else [self._on_exhausted]
        if script and isinstance(script[0], Exception):
            raise script[0]
        return ScriptedStream(script)


class ScriptedStream:
    def __init__(self, script: list[Step]) -> None:
        self._script = script

    def read(self) -> Batch | None:
        while self._script:
            step = self._script.pop(0)
            if isinstance(step, Exception):
                raise step
            if not callable(step):
                return step
            step()
        return None

    def close(self) -> None:
        """Nothing is held open."""
