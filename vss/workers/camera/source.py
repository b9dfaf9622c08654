"""What a camera reads: a description of the source apart from the live stream of pictures that opening it gives.

A description costs nothing and opens nothing; it is made once and opened again after every drop and for every pass of
`--loop`. A stream belongs to one thread, the capture thread, and is never rewound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vss.workers.camera.picture import Picture


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture as the source gave it.

    Attributes:
        picture: Not decoded to pixels yet where that can wait; None when the source's bytes were no whole picture.
        pts_ns: Presentation time in the source, nanoseconds; None where the source carries no time.
    """

    picture: Picture | None
    pts_ns: int | None


class Stream(Protocol):
    """A source that is open."""

    def read(self) -> Shot | None:
        """Waits for the next picture; None at the end.

        Raises:
            SourceUnavailable: A live source dropped or went silent.
            SourceUnreadable: A file breaks off.
        """

    def close(self) -> None:
        """Lets go of the source. Idempotent."""


class Source(Protocol):
    """Describes where pictures come from.

    Attributes:
        name: What logs and errors call it, without secrets.
        live: Whether pictures come at the source's own pace and are gone when nobody takes them. A live source that
            ends has dropped and is opened again; one that is not live ends for good.
    """

    @property
    def name(self) -> str:
        """See above."""

    @property
    def live(self) -> bool:
        """See above."""

    def open(self) -> Stream:
        """Opens it; may block for as long as the source's timeout.

        Raises:
            SourceUnavailable: A live source is not there; it may come back.
            SourceUnreadable: It will never open.
        """
