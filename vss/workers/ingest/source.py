"""The port to whatever gives frames or readings.

A `Source` is a description that does no I/O; `open` makes a live `Stream` of it, again after every drop, and for every
pass of `--loop`. A stream belongs to one thread, the capture thread, and is never rewound.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Stream(Protocol[T_co]):
    """A source that is open."""

    def read(self) -> T_co | None:
        """Waits for what comes next; None at the end.

        Raises:
            SourceUnavailable: A live source dropped or went silent.
            SourceUnreadable: A file breaks off.
        """

    def close(self) -> None:
        """Lets go of the source. Idempotent."""


class Source(Protocol[T_co]):
    """Describes where frames or readings come from.

    Attributes:
        name: What logs and errors call it, without secrets.
        live: Whether things come at the source's own pace and are gone when nobody takes them. A live source that
            ends has dropped and is opened again; one that is not live ends for good.
    """

    @property
    def name(self) -> str:
        """See above."""

    @property
    def live(self) -> bool:
        """See above."""

    def open(self) -> Stream[T_co]:
        """Opens it; may block for as long as the source's timeout.

        Raises:
            SourceUnavailable: A live source is not there; it may come back.
            SourceUnreadable: It will never open.
        """
