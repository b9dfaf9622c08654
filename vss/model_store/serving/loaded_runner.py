"""What answers for a model in memory: of pictures or of windows."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from vss.model_store.runner.answer import Answer
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.window_runner import WindowRunner
from vss.model_store.tasks.task import PictureTask


class LoadedPictures(Protocol):
    """What serving needs of a `Runner`."""

    @property
    def task(self) -> PictureTask[Any]:
        """See `Runner`."""

    def submit(self, pictures: Sequence[Picture]) -> list[Future[Answer[Any]]]:
        """See `Runner.submit`."""

    def warm(self) -> None:
        """See `Runner.warm`."""

    def close(self) -> None:
        """See `Runner.close`."""


LoadedRunner = LoadedPictures | WindowRunner
