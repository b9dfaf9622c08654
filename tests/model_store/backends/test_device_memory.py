"""The calls of CUDA's runtime library, held against a library that notes them."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from vss.model_store.backends.device_memory import CudaMemory

NOT_ENOUGH = 2


class Function:
    """A C function: notes its arguments, may do something, returns a code."""

    def __init__(self, code: int = 0, does: Any = None) -> None:
        self.code, self.does = code, does
        self.calls: list[tuple[Any, ...]] = []
        self.restype: Any = ctypes.c_int

    def __call__(self, *arguments: Any) -> Any:
        self.calls.append(tuple(getattr(a, "value", a) for a in arguments))
        if self.does is not None:
            return self.does(*arguments)
        return self.code


class Library:
    """libcudart whose device is the host."""

    def __init__(self) -> None:
        self.cudaMemcpy = Function(does=self._copy)
        self.cudaStreamSynchronize = Function()
        self.cudaHostRegister = Function()
        self.cudaHostUnregister = Function()
        self.cudaGetLastError = Function()
        self.cudaMemGetInfo = Function(does=self._info)
        self.cudaSetDevice = Function()
        self.cudaGetErrorString = Function(does=lambda _: b"out of memory")

    @staticmethod
    def _copy(target: Any, source: Any, size: Any, kind: Any) -> int:
        ctypes.memmove(target.value, source.value, size.value)
        return 0

    @staticmethod
    def _info(free: Any, total: Any) -> int:
        free._obj.value, total._obj.value = 300, 400
        return 0


@pytest.fixture
def library() -> Library:
    return Library()


def test_an_array_goes_up_and_comes_down(library: Library) -> None:
    memory = CudaMemory(library)
    device, sent, received = (np.zeros(1000, np.float32) for _ in range(3))
    sent[:] = np.arange(1000)
    memory.upload(device.ctypes.data, sent)
    memory.download(received, device.ctypes.data)
    assert np.array_equal(received, sent)
    up, down = library.cudaMemcpy.calls
    assert (up[2:], down[2:]) == ((4000, 1), (4000, 2))
    assert len(library.cudaStreamSynchronize.calls) == 2, "a copy may be on its way still"


def test_an_error_says_what_cuda_says(library: Library) -> None:
    library.cudaMemcpy = Function(NOT_ENOUGH)
    with pytest.raises(RuntimeError, match="out of memory"):
        CudaMemory(library).upload(0, np.zeros(1))
    assert library.cudaGetLastError.calls, "the next call of whoever must not find it"


def test_memory_that_cannot_be_pinned_is_used_as_it_is(library: Library) -> None:
    array = np.zeros(1000)
    assert CudaMemory(library).pin(array)
    assert library.cudaHostRegister.calls == [(array.ctypes.data, 8000, 0)]
    library.cudaHostRegister = Function(NOT_ENOUGH)
    assert not CudaMemory(library).pin(array)


def test_what_is_free_is_asked_of_the_driver(library: Library) -> None:
    assert CudaMemory(library).free_bytes() == 300
    library.cudaMemGetInfo = Function(NOT_ENOUGH)
    assert CudaMemory(library).free_bytes() == 0


def test_another_device_is_chosen_once_a_thread(library: Library) -> None:
    memory = CudaMemory(library, device_id=1)
    memory.free_bytes()
    memory.free_bytes()
    assert library.cudaSetDevice.calls == [(1,)]
