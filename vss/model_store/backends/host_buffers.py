"""Page-locked memory of the host: what results are copied into, and what pictures are written into."""

from __future__ import annotations

import math
import threading
import weakref
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.model_store.backends.device_memory import DeviceMemory

Array = NDArray[Any]

_MAX_FREE: Final = 16
"""Buffers kept for the next results."""
_WORTH_PINNING_BYTES: Final = 1 << 20
"""Page-locking takes a tenth of a millisecond; a smaller copy does not pay it back."""


class _Lent:
    """What numpy takes for the owner of a lent array: it lives as long as any view of the array."""

    def __init__(self, buffer: NDArray[np.uint8], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._buffer = buffer
        self.__array_interface__ = {
            "data": (buffer.ctypes.data, False),
            "shape": shape,
            "typestr": dtype.str,
            "version": 3,
        }


class HostBuffers:
    """Lends arrays whose memory is page-locked and used again once nobody looks at it any more. Thread-safe.

    What YOLOv8n says about 32 pictures has 90 MB: page faults of a fresh array cost more than the copy into it.

    Args:
        memory: Page-locks.
    """

    def __init__(self, memory: DeviceMemory) -> None:
        self._memory = memory
        # A finaliser may run in the middle of `lend`, on the same thread.
        self._lock = threading.RLock()
        self._free: list[NDArray[np.uint8]] = []
        self._closed = False

    def lend(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array with anything in it."""
        size_bytes = math.prod(shape) * dtype.itemsize
        if size_bytes < _WORTH_PINNING_BYTES:
            return np.empty(shape, dtype)
        lent = _Lent(self._take(size_bytes), shape, dtype)
        weakref.finalize(lent, self._give_back, lent._buffer).atexit = False
        return np.asarray(lent)

    def close(self) -> None:
        """Frees what is not lent; what is lent follows when it comes back. Idempotent."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for buffer in free:
            self._memory.unpin(buffer.ctypes.data)

    def _take(self, size_bytes: int) -> NDArray[np.uint8]:
        with self._lock:
            fitting = [i for i, buffer in enumerate(self._free) if buffer.nbytes >= size_bytes]
            if fitting:
                return self._free.pop(min(fitting, key=lambda i: self._free[i].nbytes))
        buffer = np.empty(size_bytes, np.uint8)
        self._memory.pin(buffer)
        return buffer

    def _give_back(self, buffer: NDArray[np.uint8]) -> None:
        with self._lock:
            if not self._closed and len(self._free) < _MAX_FREE:
                self._free.append(buffer)
                return
        self._memory.unpin(buffer.ctypes.data)


class PinnedInputs:
    """Page-locks the memory that batches are views of, when they first come by. Thread-safe.

    Room for a batch is made once and used again, and a call gets a view of it; so the view's owner is worth locking.
    It is unlocked before it is freed.

    Args:
        memory: Page-locks.
    """

    def __init__(self, memory: DeviceMemory) -> None:
        self._memory = memory
        # A finaliser may run in the middle of `see`, on the same thread.
        self._lock = threading.RLock()
        self._known: dict[int, weakref.finalize[Any, Any]] = {}

    def see(self, batch: Array) -> None:
        """Page-locks what a batch is a view of, unless it was before."""
        owner = batch.base
        if not isinstance(owner, np.ndarray) or owner.nbytes < _WORTH_PINNING_BYTES or not owner.flags.c_contiguous:
            return
        if owner.base is not None:  # lent by somebody else, who may have locked it
            return
        with self._lock:
            if id(owner) in self._known:
                return
            pinned = self._memory.pin(owner)
            forget = weakref.finalize(owner, self._unpin, id(owner), owner.ctypes.data if pinned else None)
            forget.atexit = False
            self._known[id(owner)] = forget

    def close(self) -> None:
        """Unlocks everything. Idempotent."""
        with self._lock:
            known = list(self._known.values())
        for forget in known:
            forget()

    def _unpin(self, identity: int, address: int | None) -> None:
        with self._lock:
            self._known.pop(identity, None)
        if address is not None:
            self._memory.unpin(address)
