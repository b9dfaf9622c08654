"""A picture whose pixels are needed again after the model has looked at it."""

from __future__ import annotations

import threading
from dataclasses import replace

from vss.codecs.images import Image
from vss.model_store.runner.picture import Picture


class KeptPicture:
    """Loads a picture once, at its full size, and keeps its pixels. Thread-safe.

    Args:
        picture: How to get at them.

    Attributes:
        image: The pixels; None until they are loaded.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._lock = threading.Lock()
        self.image: Image | None = None

    def picture(self) -> Picture:
        """The same picture for a runner: it loads through here."""
        # Made anew: as an attribute it would hold what holds it, and the pixels until the garbage is collected.
        return replace(self._picture, load=lambda _at_least: self.load())

    def load(self) -> Image:
        """The pixels. Whoever comes second waits for the first.

        Raises:
            Exception: What `Picture.load` raises.
        """
        with self._lock:
            if self.image is None:
                self.image = self._picture.load((self._picture.width, self._picture.height))
            return self.image

    def drop(self) -> None:
        """Frees the pixels; whoever asks again has them loaded again."""
        with self._lock:
            self.image = None
