"""A store's folder that is moved or not mounted for a while: what asks for it waits, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model_store.serving.real_models import activation, add_model, request, serving_of
from vss.errors import StoreUnavailable

WAIT_S = 60


@pytest.mark.parametrize("leaves_a_mountpoint", [False, True])
def test_frames_and_swaps_wait_for_a_folder_that_is_away(tmp_path: Path, leaves_a_mountpoint: bool) -> None:
    store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    for name in ("gate", "gate", "yard"):
        add_model(tmp_path, name)
    serving = serving_of(tmp_path, max_loaded=2, load_attempts=1)
    serving.apply(activation("gate", "1"), given_up=False)
    serving.serve("gate", "detection")
    store.rename(elsewhere)
    if leaves_a_mountpoint:
        store.mkdir()
    try:
        for asked_for in ("yard", "unknown"):
            [future] = serving.submit([request(model=asked_for)])
            assert isinstance(future.exception(WAIT_S), StoreUnavailable)
        swap = serving.apply(activation("gate", "2"), given_up=False).result(WAIT_S)
        assert (swap.swapped, swap.serving, swap.may_pass) == (False, "1", True)
        if leaves_a_mountpoint:
            store.rmdir()
        elsewhere.rename(store)
        [future] = serving.submit([request(model="yard")])
        assert future.result(WAIT_S).name == "yard"
        assert serving.apply(activation("gate", "2"), given_up=False).result(WAIT_S).swapped
    finally:
        serving.close()
