"""What the result cache cannot keep, or should not have: the frames are answered all the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tests.model_store.serving.fakes import FakeTask, make_rig
from tests.model_store.serving.real_models import activation, request
from vss.model_store.runner.picture import Picture
from vss.model_store.serving.result_cache import AnswerCodec
from vss.model_store.tasks.classification.task import ClassificationTask


class Unknown:
    """Nothing that pydantic knows."""


class FullCache:
    """Has something for every picture (see `ResultCache`)."""

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        return [b"[1,null]" for _ in keys]

    def put(self, entries: Mapping[str, bytes]) -> None:
        raise AssertionError("kept what cannot be read back")


class EmptyCache(FullCache):
    """Has nothing."""

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        return [None for _ in keys]


def test_a_result_type_that_pydantic_does_not_know_holds_no_frame_up() -> None:
    for cache in (EmptyCache(), FullCache()):
        rig = make_rig({"gate": ["1"]}, cache=cache)
        rig.serving.serve("gate", "detection")
        rig.store.runner("gate@1").task.result_type = Unknown
        futures = rig.serving.submit([request(content=b"a"), request(content=b"b")])
        rig.store.finish_all()
        assert [future.result(0).version for future in futures] == ["1", "1"]


def test_an_answer_that_names_no_class_is_a_miss() -> None:
    picture = Picture(8, 8, lambda _: np.zeros((8, 8, 3), np.uint8))
    assert AnswerCodec(ClassificationTask.result_type).decode(b"[[],null]", picture) is None


def test_a_task_that_cannot_name_what_it_found_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make_rig({"gate": ["1", "2"]})
    rig.serving.apply(activation("gate", "1"), given_up=False)
    rig.serving.serve("gate", "detection")
    monkeypatch.setattr(FakeTask, "classes_in", lambda *_: None)
    swap = rig.serving.apply(activation("gate", "2"), given_up=False).result(0)
    assert (swap.swapped, swap.serving) == (False, "1")
    assert "TypeError" in swap.reason
