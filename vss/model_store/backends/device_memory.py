"""The port to an accelerator's memory, and its adapter for CUDA.

ONNX Runtime's Python API allocates on a device, but neither page-locks memory of the host, nor copies without holding
the interpreter. Both are calls of CUDA's runtime library, which ONNX Runtime has loaded anyway; through ctypes they let
other threads go on.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any, Final, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]

_TO_DEVICE: Final = 1
_TO_HOST: Final = 2
_HOST_REGISTER_DEFAULT: Final = 0
# The major version is that of the toolkit which onnxruntime-gpu was built with; newest first.
_LIBRARIES: Final = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")


class DeviceMemory(Protocol):
    """Memory of one device. Called from several threads at once.

    Attributes:
        name: As ONNX Runtime calls the device: `cuda`, `cpu`.
    """

    name: str

    def upload(self, address: int, array: Array) -> None:
        """Copies an array, contiguous in C's order, to the device; returns when it is there."""

    def download(self, array: Array, address: int) -> None:
        """Fills an array, contiguous in C's order, from the device; returns when it is here."""

    def pin(self, array: Array) -> bool:
        """Page-locks an array's memory, so that copies of it need no staging. Returns whether that worked."""

    def unpin(self, address: int) -> None:
        """Undoes it."""

    def free_bytes(self) -> int:
        """What nobody holds of the device's memory; 0 when that is not known."""


class CudaMemory:
    """Memory of a GPU, by CUDA's runtime library (see `DeviceMemory`).

    Args:
        library: The loaded library; its calls release the interpreter.
        device_id: Which GPU.
    """

    name = "cuda"

    def __init__(self, library: Any, device_id: int = 0) -> None:
        self._library = library
        self._device_id = device_id
        self._threads = threading.local()
        library.cudaGetErrorString.restype = ctypes.c_char_p

    def upload(self, address: int, array: Array) -> None:
        """See `DeviceMemory.upload`."""
        self._copy(address, array.ctypes.data, array.nbytes, _TO_DEVICE)

    def download(self, array: Array, address: int) -> None:
        """See `DeviceMemory.download`."""
        self._copy(array.ctypes.data, address, array.nbytes, _TO_HOST)

    def pin(self, array: Array) -> bool:
        """See `DeviceMemory.pin`."""
        self._use_device()
        code: int = self._library.cudaHostRegister(
            ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes), ctypes.c_uint(_HOST_REGISTER_DEFAULT)
        )
        if code:
            self._library.cudaGetLastError()  # forgets it, so that nobody else finds it
        return code == 0

    def unpin(self, address: int) -> None:
        """See `DeviceMemory.unpin`."""
        self._use_device()
        if self._library.cudaHostUnregister(ctypes.c_void_p(address)):
            self._library.cudaGetLastError()

    def free_bytes(self) -> int:
        """See `DeviceMemory.free_bytes`."""
        self._use_device()
        free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
        if self._library.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)):
            self._library.cudaGetLastError()
            return 0
        return free.value

    def _copy(self, target: int, source: int, size_bytes: int, kind: int) -> None:
        self._use_device()
        self._check(
            self._library.cudaMemcpy(
                ctypes.c_void_p(target), ctypes.c_void_p(source), ctypes.c_size_t(size_bytes), ctypes.c_int(kind)
            )
        )
        # From pageable memory it may return with the last bytes still in staging, and the model runs in another stream.
        self._check(self._library.cudaStreamSynchronize(None))

    def _use_device(self) -> None:
        # A thread's device is the first until it is told otherwise.
        if self._device_id and not getattr(self._threads, "set", False):
            self._check(self._library.cudaSetDevice(self._device_id))
            self._threads.set = True

    def _check(self, code: int) -> None:
        if code:
            text = self._library.cudaGetErrorString(code)
            self._library.cudaGetLastError()
            raise RuntimeError(f"CUDA: {text.decode() if isinstance(text, bytes) else code}")


def open_cuda_memory(device_id: int = 0) -> CudaMemory | None:
    """The memory of a GPU; None where CUDA's runtime library is not found."""
    for name in _LIBRARIES:
        try:
            return CudaMemory(ctypes.CDLL(name), device_id)
        except (OSError, AttributeError):
            continue
    return None
