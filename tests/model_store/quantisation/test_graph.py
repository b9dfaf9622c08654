import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.model_store.quantisation.conv_net import conv_net, names, write
from vss.errors import ConfigError, ModelCorrupt, ModelUnsupported
from vss.model_store.quantisation.graph import prepare


def test_layers_body_and_heads_are_told_apart_from_what_only_shapes_the_output(tmp_path: Path) -> None:
    graph = prepare(write(conv_net(), tmp_path / "net.onnx"))
    assert names(graph.layers) == ["first", "second", "head"]
    assert graph.heads == ("head",)
    assert {"pool", "flatten"}.isdisjoint(names(graph.body))
    assert {"first", "first.sigmoid", "first.mul", "add", "head"} <= set(names(graph.body))
    assert {"images", "first", "head"} <= set(graph.tensors)


def test_a_batch_norm_becomes_part_of_its_convolution(tmp_path: Path) -> None:
    model = conv_net()
    for name in ("scale", "bias", "mean", "var"):
        model.graph.initializer.append(numpy_helper.from_array(np.full(4, 1.5, np.float32), name))
    model.graph.node.insert(8, helper.make_node("BatchNormalization", ["head", "scale", "bias", "mean", "var"], ["bn"]))
    next(node for node in model.graph.node if node.name == "pool").input[0] = "bn"
    graph = prepare(write(model, tmp_path / "net.onnx"))
    assert "BatchNormalization" not in {node.op_type for node in graph.model.graph.node}


def test_a_model_of_an_old_opset_is_lifted(tmp_path: Path) -> None:
    graph = prepare(write(conv_net(opset=11), tmp_path / "net.onnx"))
    assert max(one.version for one in graph.model.opset_import if not one.domain) >= 13


def test_what_the_exporter_wrote_stays(tmp_path: Path) -> None:
    graph = prepare(write(conv_net(metadata={"stride": "32"}), tmp_path / "net.onnx"))
    assert {one.key: one.value for one in graph.model.metadata_props}["stride"] == "32"


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"no model")
    with pytest.raises(ModelCorrupt, match="no ONNX model"):
        prepare(file)


def test_a_model_of_pytorch_has_to_be_exported_first(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsupported, match=r"net\.pth is no ONNX model") as caught:
        prepare(tmp_path / "net.pth")
    assert "vss models export" in caught.value.fix


def test_a_model_without_layers_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 4, 4])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ModelUnsupported, match="no convolution or matrix product"):
        prepare(write(model, tmp_path / "net.onnx"))


def test_a_model_in_8_bits_is_not_quantised_again(tmp_path: Path) -> None:
    model = conv_net()
    scale = numpy_helper.from_array(np.array(0.1, np.float32), "s")
    model.graph.initializer.append(scale)
    model.graph.node.insert(0, helper.make_node("QuantizeLinear", ["images", "s"], ["q"]))
    with pytest.raises(ModelUnsupported, match="quantised already"):
        prepare(write(model, tmp_path / "net.onnx"))


def test_without_onnx_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(conv_net(), tmp_path / "net.onnx")
    assert onnx.__name__ in sys.modules
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match="onnx is not installed") as caught:
        prepare(file)
    assert "vss-fleet[quantize]" in caught.value.fix
