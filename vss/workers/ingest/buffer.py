"""The bounded buffer between a source and Kafka."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Buffer(Generic[T]):
    """First in, first out, between two threads.

    Args:
        size: Items it holds.
        shed_oldest: What happens when it is full: the oldest item goes (live sources), or the giver waits (files).
    """

    def __init__(self, size: int, *, shed_oldest: bool) -> None:
        self._size = size
        self._shed_oldest = shed_oldest
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: T) -> T | None:
        """Gives an item; returns the one that had to go for it, which is the item itself when the buffer is closed."""
        with self._changed:
            while len(self._items) >= self._size and not self._shed_oldest and not self._closed:
                self._changed.wait()
            if self._closed:
                return item
            shed = self._items.popleft() if len(self._items) >= self._size else None
            self._items.append(item)
            self._changed.notify_all()
            return shed

    def take(self) -> T | None:
        """Waits for an item; None when the buffer is closed and empty."""
        with self._changed:
            while not self._items:
                if self._closed:
                    return None
                self._changed.wait()
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """No item comes any more; what is in it can still be taken. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def __len__(self) -> int:
        return len(self._items)
