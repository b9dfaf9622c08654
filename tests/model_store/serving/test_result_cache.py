"""The result cache: what hits, and all that must not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.model_store.plugin_package import install
from tests.model_store.serving.fakes import make_rig
from tests.model_store.serving.real_models import activation, add_model, request, serving_of
from vss.config import ModelSettings
from vss.errors import InferenceFailed
from vss.metrics import Metrics
from vss.model_store.manifest import Manifest, Thresholds
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.answer import Answer
from vss.model_store.runner.picture import Picture
from vss.model_store.serving.result_cache import SETTINGS_THAT_CHANGE_ANSWERS, AnswerCodec, cache_key, identity_of
from vss.schemas.events import ClassPrediction, DetectedObject

WAIT_S = 60


class DictCache:
    """Answers kept in a dict (see `ResultCache`)."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.lookups: list[int] = []

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        self.lookups.append(len(keys))
        return [self.kept.get(key) for key in keys]

    def put(self, entries: Mapping[str, bytes]) -> None:
        self.kept.update(entries)


def frames(*contents: bytes) -> list[Any]:
    return [request(content=content, level=content[0]) for content in contents]


@pytest.fixture
def cache() -> DictCache:
    return DictCache()


def test_a_frozen_camera_costs_nothing(tmp_path: Path, cache: DictCache) -> None:
    add_model(tmp_path, "gate", x=20)
    metrics = Metrics()
    serving = serving_of(tmp_path, metrics=metrics, cache=cache)
    serving.serve("gate", "detection")
    first = [future.result(WAIT_S) for future in serving.submit(frames(b"a", b"b"))]
    second = [future.result(0) for future in serving.submit(frames(b"b", b"a"))]  # there at once
    assert [served.cached for served in first + second] == [False, False, True, True]
    assert [served.answer.value for served in second] == [served.answer.value for served in first[::-1]]
    assert [(s.name, s.version, s.answer.inference_s, s.answer.width) for s in second] == [("gate", "1", 0.0, 64)] * 2
    assert metrics.registry.get_sample_value("inference_requests_total", {"model_name": "gate", "status": "ok"}) == 3, (
        "two frames, and the grey picture before them"
    )
    assert cache.lookups == [2, 2], "one look for a micro-batch"
    serving.close()


def test_a_swap_is_seen_by_a_frozen_camera(tmp_path: Path, cache: DictCache) -> None:
    add_model(tmp_path, "gate", x=20)
    serving = serving_of(tmp_path, cache=cache)
    serving.serve("gate", "detection")
    serving.submit(frames(b"a"))[0].result(WAIT_S)
    add_model(tmp_path, "gate", x=40)
    serving.apply(activation("gate", "2"), given_up=False).result(WAIT_S)
    served = serving.submit(frames(b"a"))[0].result(WAIT_S)
    assert (served.version, served.cached, served.answer.value[0].center[0]) == ("2", False, 40)
    serving.close()


def test_another_threshold_never_hits(tmp_path: Path, cache: DictCache) -> None:
    add_model(tmp_path, "gate", score=0.6)
    counts = []
    for confidence in (0.5, 0.7, 0.5):
        serving = serving_of(tmp_path, cache=cache, confidence=confidence)
        serving.serve("gate", "detection")
        served = serving.submit(frames(b"a"))[0].result(WAIT_S)
        counts.append((len(served.answer.value), served.cached))
        serving.close()
    assert counts == [(1, False), (0, False), (1, True)]


def test_failures_are_not_kept_nor_what_has_no_content(tmp_path: Path, cache: DictCache) -> None:
    rig = make_rig({"gate": ["1"]}, cache=cache)
    rig.serving.serve("gate", "detection")
    rig.serving.submit([request(content=b"a"), request()])
    rig.store.runner("gate@1").finish(error=InferenceFailed("boom"), count=1)
    rig.store.finish_all()
    assert cache.kept == {}
    assert cache.lookups == [1]


def test_a_hit_holds_no_model(tmp_path: Path, cache: DictCache) -> None:
    rig = make_rig({"gate": ["1", "2"]}, cache=cache)
    rig.serving.apply(activation("gate", "1"), given_up=False)
    rig.serving.serve("gate", "detection")
    rig.serving.submit([request(content=b"a")])
    rig.store.finish_all()
    hits = rig.serving.submit([request(content=b"a")] * 3)
    assert [future.result(0).cached for future in hits] == [True] * 3
    assert rig.store.runner("gate@1").calls == [1]
    rig.serving.apply(activation("gate", "2"), given_up=False)
    assert rig.store.open_now() == ["gate@2"]


def test_what_is_kept_and_cannot_be_read_is_a_miss(tmp_path: Path, cache: DictCache) -> None:
    rig = make_rig({"gate": ["1"]}, cache=cache)
    rig.serving.serve("gate", "detection")
    rig.serving.submit([request(content=b"a")])
    rig.store.finish_all()
    cache.kept = dict.fromkeys(cache.kept, b'["half an ans')
    [future] = rig.serving.submit([request(content=b"a")])
    rig.store.finish_all()
    assert not future.result(0).cached
    assert rig.serving.submit([request(content=b"a")])[0].result(0).cached


# Keys.

changes = st.fixed_dictionaries(
    {},
    optional={
        "confidence": st.floats(0, 1),
        "iou": st.floats(0, 1),
        "classes": st.lists(st.sampled_from(["cat", "dog", "cow"]), min_size=1, unique=True).map(tuple),
        "max_detections": st.integers(1, 9),
        "top_k": st.integers(1, 9),
        "features": st.sampled_from(["pooled", "layer3"]),
        "precision": st.sampled_from(["fp32", "fp16"]),
        "device": st.sampled_from(["cpu", "cuda"]),
    },
)
manifests = st.builds(
    Manifest,
    labels=st.none() | st.just(("a", "b")),
    thresholds=st.builds(Thresholds, confidence=st.sampled_from([0.1, 0.5]), iou=st.sampled_from([0.4, 0.6])),
    head=st.sampled_from(["auto", "yolov8"]),
)
parts = (
    changes,
    manifests,
    st.sampled_from(["1", "2"]),
    st.sampled_from(["gate", "yard"]),
    st.sampled_from([b"m", b"n"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=st.tuples(*parts), part=st.integers(0, len(parts) - 1), data=st.data())
def test_two_situations_share_answers_only_when_they_are_the_same(
    tmp_path: Path, one: Any, part: int, data: st.DataObject
) -> None:
    other = (*one[:part], data.draw(parts[part]), *one[part + 1 :])

    def identity(situation: Any) -> bytes:
        change, manifest, version, name, content = situation
        file = tmp_path / "m.onnx"
        file.write_bytes(content)
        return identity_of(ModelRef(name, version, file, manifest), ModelSettings.model_validate(change))

    assert (identity(one) == identity(other)) == (one == other)


def test_a_new_version_of_a_tasks_package_asks_its_model_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "m.onnx").write_bytes(b"m")
    ref = ModelRef("gate", "1", tmp_path / "m.onnx", Manifest(task="counting"))
    install(tmp_path, package="counting", task="counting", points_to="load", code="def load(*_): ...")
    before = identity_of(ref, ModelSettings())
    assert identity_of(ref, ModelSettings()) == before
    metadata = tmp_path / "counting-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
    assert identity_of(ref, ModelSettings()) != before


def test_every_setting_is_known_to_change_answers_or_not_to() -> None:
    never = {
        "store",
        "download_cache",
        "download_cache_bytes",
        "max_file_bytes",
        "load_attempts",
        "max_loaded",
        "max_loaded_bytes",
        "max_accelerator_bytes",
        "max_group",
        "call_timeout_s",
        "routes",
        "route_by_header",
        "threads",
        "threshold",  # of windows
    }
    unknown = set(ModelSettings.model_fields) - set(SETTINGS_THAT_CHANGE_ANSWERS) - never
    assert not unknown, f"does {unknown} change what a model says of a picture?"


@settings(max_examples=60, deadline=None)
@given(one=st.binary(min_size=1, max_size=20), other=st.binary(min_size=1, max_size=20), side=st.integers(1, 3))
def test_two_pictures_have_two_keys(one: bytes, other: bytes, side: int) -> None:
    picture = Picture(8, 8, lambda _: np.zeros((8, 8, 3), np.uint8))
    assert (cache_key(b"i", one, picture) == cache_key(b"i", other, picture)) == (one == other)
    if side != 2:  # a raw picture's bytes do not say its shape
        assert cache_key(b"i", one, replace(picture, width=side, height=4)) != cache_key(
            b"i", one, replace(picture, width=4, height=side)
        )
    assert cache_key(b"i", one, picture) != cache_key(b"j", one, picture)


# Values.


@settings(max_examples=40, deadline=None)
@given(
    confidence=st.floats(0, 1),
    bbox=st.tuples(*[st.floats(0, 1e4)] * 4),
    embedding=st.none() | st.lists(st.floats(-1e6, 1e6, width=32), max_size=5),
)
def test_what_comes_back_is_what_was_kept(
    confidence: float, bbox: tuple[float, float, float, float], embedding: list[float] | None
) -> None:
    found = DetectedObject(class_="dög", class_id=1, confidence=confidence, bbox=bbox, center=(1.5, 2.0))
    vector = np.array(embedding, np.float32) if embedding is not None else None
    codec, picture = AnswerCodec(tuple[DetectedObject, ...]), Picture(8, 6, lambda _: np.zeros((6, 8, 3), np.uint8))
    kept = codec.encode(Answer((found,), 0.5, 0.6, 8, 6, vector, 0.7))
    assert kept is not None
    back = codec.decode(kept, picture)
    assert back is not None
    assert back.value == (found,)
    assert (back.inference_s, back.call_s, back.width, back.height) == (0.0, 0.0, 8, 6)
    if vector is None:
        assert back.embedding is None
    else:
        assert back.embedding is not None
        assert back.embedding.dtype == np.float32
        assert np.array_equal(back.embedding, vector)


@pytest.mark.parametrize(
    ("result_type", "value"),
    [
        (tuple[ClassPrediction, ...], (ClassPrediction(class_="cat", class_id=3, confidence=0.25),)),
        (dict[str, Any], {"count": 3, "lines": [[1, 2.5], None], "ok": True}),
    ],
    ids=["classification", "own task"],
)
def test_every_kind_of_result_can_be_kept(result_type: Any, value: Any) -> None:
    codec, picture = AnswerCodec(result_type), Picture(8, 8, lambda _: np.zeros((8, 8, 3), np.uint8))
    kept = codec.encode(Answer(value, 0.1, 0.1, 8, 8))
    assert kept is not None
    back = codec.decode(kept, picture)
    assert back is not None
    assert back.value == value


def test_a_result_that_json_cannot_hold_is_not_kept() -> None:
    assert AnswerCodec(dict[str, Any]).encode(Answer({"x": object()}, 0.1, 0.1, 8, 8)) is None
