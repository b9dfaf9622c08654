"""Embeddings out of ONNX models: which layer, and that the answers stay as they are."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.model_store.classification.tiny_classifier import write_classifier
from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelCorrupt
from vss.model_store.backends.onnx_features import POOLED, with_features
from vss.model_store.resolve import resolve_file
from vss.model_store.runner.runner import Runner

PICTURES = np.random.default_rng(3).random((2, 3, 32, 32), np.float32)


def run(source: str | bytes, inputs: NDArray[np.float32] = PICTURES) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    outputs: list[NDArray[Any]] = session.run(None, {session.get_inputs()[0].name: inputs})
    return outputs


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("output_shape", [(), (3, 1, 1)])
def test_pooled_is_what_a_classifier_s_last_layer_sees(
    tmp_path: Path, softmax: bool, output_shape: tuple[int, ...]
) -> None:
    file = write_classifier(tmp_path / "m.onnx", softmax=softmax, output_shape=output_shape)
    before = file.read_bytes()
    [answer], [same, features] = run(str(file)), run(with_features(file, POOLED))
    np.testing.assert_array_equal(answer, same)
    np.testing.assert_allclose(features, PICTURES.mean(axis=(2, 3)), rtol=1e-5)
    assert file.read_bytes() == before


@pytest.mark.parametrize(("layer", "shape"), [("pooled", (2, 3)), ("scores", (2, 3)), ("chances", (2, 3))])
def test_a_layer_is_named_by_its_tensor(tmp_path: Path, layer: str, shape: tuple[int, ...]) -> None:
    [_, features] = run(with_features(write_classifier(tmp_path / "m.onnx"), layer))
    assert features.shape == shape


def test_the_only_output_may_be_the_features_as_well(tmp_path: Path) -> None:
    answer, features = run(with_features(write_classifier(tmp_path / "m.onnx"), "output0"))
    np.testing.assert_array_equal(answer, features)


def test_a_model_that_puts_out_its_features_already_has_them_last(tmp_path: Path) -> None:
    file = write_classifier(tmp_path / "m.onnx")
    model = onnx.load(str(file))
    model.graph.output.insert(0, helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["batch", 3]))
    onnx.save(model, str(file))
    answer, features = run(with_features(file, "flat"))
    np.testing.assert_allclose(features, PICTURES.mean(axis=(2, 3)), rtol=1e-5)
    assert answer.shape == (2, 3)


def test_a_layer_is_named_by_its_node_as_well_and_the_nearest_is_told(tmp_path: Path) -> None:
    file = write_classifier(tmp_path / "m.onnx")
    model = onnx.load(str(file))
    model.graph.node[1].name = "/avgpool/Flatten"
    onnx.save(model, str(file))
    assert run(with_features(file, "/avgpool/Flatten"))[1].shape == (2, 3)
    with pytest.raises(ConfigError, match="no layer '/avgpol/Flaten'") as raised:
        with_features(file, "/avgpol/Flaten")
    assert "did you mean /avgpool/Flatten" in raised.value.fix


def test_pooled_of_a_detector_is_its_deepest_feature_map_behind_the_activation(tmp_path: Path) -> None:
    # Eight channels and SiLU, then four: the head's.
    rng = np.random.default_rng(0)
    weights = {"deep": rng.normal(size=(8, 3, 1, 1)), "head": rng.normal(size=(4, 8, 1, 1))}
    nodes = [
        helper.make_node("Conv", ["images", "deep"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["gate"]),
        helper.make_node("Mul", ["a", "gate"], ["silu"]),
        helper.make_node("Conv", ["silu", "head"], ["b"]),
        helper.make_node("Concat", ["b", "b"], ["output0"], axis=2),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    file = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(file))
    [_, features] = run(with_features(file, POOLED))
    a = np.einsum("oi,nihw->nohw", weights["deep"][:, :, 0, 0], PICTURES)
    np.testing.assert_allclose(features, a / (1 + np.exp(-a)), rtol=1e-4, atol=1e-5)


def test_a_model_without_layers_is_refused_by_pooled(tmp_path: Path) -> None:
    file = write_model(tmp_path / "m.onnx", yolov8_output((32, 32, 16, 8, 1, 0.9)))
    with pytest.raises(ConfigError, match="no last layer"):
        with_features(file, POOLED)


def test_a_file_that_is_no_model_is_corrupt(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"no model at all")
    with pytest.raises(ModelCorrupt, match=r"m\.onnx"):
        with_features(file, POOLED)


def test_without_onnx_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_classifier(tmp_path / "m.onnx")
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "onnx":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match="needs the package onnx") as raised:
        with_features(file, POOLED)
    assert "vss-fleet[features]" in raised.value.fix


def test_a_real_detector_finds_the_same_with_an_embedding_beside_it(shared_data: Path) -> None:
    ref = resolve_file(shared_data / "models" / "yolov8n.onnx")
    picture = cv2.imread(str(min((shared_data / "coco128" / "images").rglob("*.jpg"))))
    assert picture is not None
    plain, with_embedding = (
        Runner.load(ref, ModelSettings(device="cpu", threads=1, features=features)) for features in (None, POOLED)
    )
    [before], [after] = plain.run([picture.astype(np.uint8)]), with_embedding.run([picture.astype(np.uint8)])
    assert before.value
    assert (before.value, before.embedding) == (after.value, None)
    assert after.embedding is not None
    assert after.embedding.shape == (256,)
    plain.close()
    with_embedding.close()
