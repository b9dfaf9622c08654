from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.model_store.backends.pretend_cuda import PretendMemory
from vss.model_store.backends.host_buffers import HostBuffers, PinnedInputs

LARGE = (2, 1 << 20)
FLOAT = np.dtype(np.float32)


@pytest.fixture
def memory() -> PretendMemory:
    return PretendMemory()


def address(array: NDArray[Any]) -> int:
    return int(array.ctypes.data)


def test_a_result_that_nobody_looks_at_any_more_makes_room_for_the_next(memory: PretendMemory) -> None:
    buffers = HostBuffers(memory)
    first = buffers.lend(LARGE, FLOAT)
    where = address(first)
    del first
    assert address(buffers.lend(LARGE, FLOAT)) == where
    assert memory.pinned == {where}


def test_a_result_keeps_its_memory_while_any_view_of_it_lives(memory: PretendMemory) -> None:
    buffers = HostBuffers(memory)
    first = buffers.lend(LARGE, FLOAT)
    first[1, 5] = 7
    row = first[1]
    view = row[3:9]
    del first, row
    gc.collect()
    second = buffers.lend(LARGE, FLOAT)
    second.fill(0)
    assert view[2] == 7


def test_a_smaller_result_takes_the_room_of_a_larger(memory: PretendMemory) -> None:
    buffers = HostBuffers(memory)
    where = address(buffers.lend(LARGE, FLOAT))
    smaller = buffers.lend((1, 1 << 20), np.dtype(np.int32))
    assert (address(smaller), smaller.shape) == (where, (1, 1 << 20))
    assert smaller.dtype == np.dtype(np.int32)


def test_what_is_small_is_not_pinned(memory: PretendMemory) -> None:
    assert HostBuffers(memory).lend((3, 4), FLOAT).shape == (3, 4)
    assert memory.pinned == set()


def test_closing_unpins_what_is_free_at_once_and_what_is_lent_later(memory: PretendMemory) -> None:
    buffers = HostBuffers(memory)
    lent, free = buffers.lend(LARGE, FLOAT), buffers.lend(LARGE, FLOAT)
    del free
    buffers.close()
    assert memory.pinned == {address(lent)}
    del lent
    assert memory.pinned == set()


def test_room_for_batches_is_pinned_once_and_unpinned_before_it_is_freed(memory: PretendMemory) -> None:
    inputs = PinnedInputs(memory)
    room = np.zeros((4, 1 << 20), np.float32)
    for count in (1, 3, 4):
        inputs.see(room[:count])
    assert memory.pinned == {address(room)}
    del room
    assert memory.pinned == set()


def test_a_batch_that_was_put_together_for_one_call_is_not_pinned(memory: PretendMemory) -> None:
    inputs = PinnedInputs(memory)
    room = np.zeros((4, 1 << 20), np.float32)
    inputs.see(room[[0, 2]])
    inputs.see(room)
    assert memory.pinned == set()


def test_closing_unpins_inputs(memory: PretendMemory) -> None:
    inputs = PinnedInputs(memory)
    room = np.zeros((4, 1 << 20), np.float32)
    inputs.see(room[:1])
    inputs.close()
    assert memory.pinned == set()
    del room
