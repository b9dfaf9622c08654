"""Tasks of the user's own whose results cannot be kept: their frames are answered all the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.model_store.serving.fakes import make_rig
from tests.model_store.serving.real_models import request


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
