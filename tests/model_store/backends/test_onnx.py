import builtins
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelCorrupt, ModelNotFound, ModelTooLarge, ModelUnsupported
from vss.model_store.backends.onnx import OnnxModel

OUTPUT = yolov8_output((32, 32, 16, 8, 1, 0.9))


def test_what_a_model_takes_is_read_from_its_input(tmp_path: Path) -> None:
    model = OnnxModel(write_model(tmp_path / "m.onnx", OUTPUT, batch=2, metadata={"a": "b"}), device="cpu")
    assert (model.input_shape, model.dtype) == ((2, 3, 64, 64), np.float32)
    assert model.providers == ("CPUExecutionProvider",)
    assert model.on_cpu
    assert model.metadata == {"a": "b"}


def test_open_dimensions_are_none(tmp_path: Path) -> None:
    model = OnnxModel(write_model(tmp_path / "m.onnx", OUTPUT, input_shape=(3, "h", "w")), device="cpu")
    assert model.input_shape == (None, 3, None, None)


def test_a_model_in_half_precision_is_fed_in_half_precision(tmp_path: Path) -> None:
    model = OnnxModel(write_model(tmp_path / "m.onnx", OUTPUT, input_type=TensorProto.FLOAT16), device="cpu")
    assert model.run(np.zeros((1, 3, 64, 64), np.float32))[0].shape == (1, 6, 84)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no such model file"):
        OnnxModel(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"no model at all", b"\xff" * 1000])
def test_a_file_that_is_no_model_is_corrupt(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"m\.onnx") as raised:
        OnnxModel(file, device="cpu")
    assert raised.value.fix


def test_half_a_model_is_corrupt(tmp_path: Path) -> None:
    file = write_model(tmp_path / "m.onnx", OUTPUT)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ModelCorrupt):
        OnnxModel(file, device="cpu")


def test_an_input_of_integers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsupported, match="tensor\\(int64\\)"):
        OnnxModel(write_model(tmp_path / "m.onnx", OUTPUT, input_type=TensorProto.INT64), device="cpu")


def test_a_second_input_is_refused(tmp_path: Path) -> None:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("images", "sizes")]
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 3, 8, 8])
    graph = helper.make_graph([helper.make_node("Add", ["images", "sizes"], ["output0"])], "g", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(tmp_path / "m.onnx"))
    with pytest.raises(ModelUnsupported, match="2 inputs: images, sizes"):
        OnnxModel(tmp_path / "m.onnx", device="cpu")


def test_an_opset_from_the_future_is_unsupported_rather_than_corrupt(tmp_path: Path) -> None:
    file = write_model(tmp_path / "m.onnx", OUTPUT)
    model = onnx.load(str(file))
    model.opset_import[0].version = 999
    onnx.save(model, str(file))
    with pytest.raises(ModelUnsupported) as raised:
        OnnxModel(file, device="cpu")
    assert "newer onnxruntime" in raised.value.fix


def test_a_missing_runtime_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_import = builtins.__import__

    def without_runtime(name: str, *args: object, **kwargs: object) -> ModuleType:
        if name == "onnxruntime":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_runtime)
    with pytest.raises(ConfigError, match="onnxruntime is not installed") as raised:
        OnnxModel(write_model(tmp_path / "m.onnx", OUTPUT))
    assert "vss-fleet[cpu]" in raised.value.fix


class FakeRuntime:
    """Stands for an onnxruntime with other providers; the session says which of them started."""

    def __init__(self, available: list[str], started: list[str]) -> None:
        self.available, self.started = available, started
        self.asked: list[str] = []
        self.options: dict[str, dict[str, str]] = {}

    def get_available_providers(self) -> list[str]:
        return self.available

    SessionOptions = SimpleNamespace

    def InferenceSession(self, file: str, options: object, providers: list[Any]) -> SimpleNamespace:  # noqa: N802
        self.asked = [provider if isinstance(provider, str) else provider[0] for provider in providers]
        self.options = dict(p for p in providers if not isinstance(p, str))
        value = SimpleNamespace(name="images", shape=[1, 3, 64, 64], type="tensor(float)")
        return SimpleNamespace(
            get_providers=lambda: self.started,
            get_modelmeta=lambda: SimpleNamespace(custom_metadata_map={}),
            get_inputs=lambda: [value],
            get_outputs=lambda: [value],
        )


CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


@pytest.mark.parametrize(
    ("device", "available", "asked"),
    [
        ("auto", [CPU], [CPU]),
        ("auto", [TENSORRT, CUDA, CPU], [CUDA, CPU]),
        ("cpu", [CUDA, CPU], [CPU]),
        ("cuda", [CUDA, CPU], [CUDA, CPU]),
        ("tensorrt", [TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU]),
    ],
)
def test_a_device_becomes_the_providers_that_serve_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, available: list[str], asked: list[str]
) -> None:
    runtime = FakeRuntime(available, asked)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    settings = ModelSettings(device=device, download_cache=tmp_path / "models")
    model = OnnxModel(write_model(tmp_path / "m.onnx", OUTPUT), settings)
    assert runtime.asked == asked
    assert model.on_cpu == (asked == [CPU])


def test_a_device_this_runtime_lacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime([CPU], [CPU]))
    with pytest.raises(ConfigError, match="cannot use cuda") as raised:
        OnnxModel(write_model(tmp_path / "m.onnx", OUTPUT), device="cuda")
    assert "vss-fleet[gpu]" in raised.value.fix


def test_a_device_that_does_not_start_is_not_replaced_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime([CUDA, CPU], [CPU]))
    with pytest.raises(ConfigError, match="could not start cuda"):
        OnnxModel(write_model(tmp_path / "m.onnx", OUTPUT), device="cuda")


def options_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> dict[str, dict[str, str]]:
    runtime = FakeRuntime([TENSORRT, CUDA, CPU], [TENSORRT if settings["device"] == "tensorrt" else CUDA, CPU])
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    OnnxModel(
        write_model(tmp_path / "m.onnx", OUTPUT),
        ModelSettings(download_cache=tmp_path / "cache" / "models", **settings),
    )
    return runtime.options


def test_cuda_takes_no_more_than_it_may_and_rounds_to_tf32_unless_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = options_of(tmp_path, monkeypatch, device="cuda")[CUDA]
    assert not {"gpu_mem_limit", "use_tf32", "enable_cuda_graph"} & plain.keys()
    strict = options_of(tmp_path, monkeypatch, device="cuda", max_accelerator_bytes=1 << 30, precision="fp32")[CUDA]
    assert (strict["gpu_mem_limit"], strict["use_tf32"]) == ("1073741824", "0")


def test_tensorrt_keeps_its_engines_beside_the_downloaded_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_of(tmp_path, monkeypatch, device="tensorrt", precision="fp16")
    engines = tmp_path / "cache" / "tensorrt"
    assert engines.is_dir()
    assert options[TENSORRT]["trt_engine_cache_path"] == str(engines)
    assert options[TENSORRT]["trt_fp16_enable"] == "1"
    assert CUDA in options


def test_a_model_that_the_accelerator_has_no_room_for_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(FakeRuntime):
        def InferenceSession(self, *_: object, **__: object) -> SimpleNamespace:  # noqa: N802
            raise RuntimeError("CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc")

    monkeypatch.setitem(sys.modules, "onnxruntime", Full([CUDA, CPU], []))
    with pytest.raises(ModelTooLarge, match="does not fit"):
        OnnxModel(write_model(tmp_path / "m.onnx", OUTPUT), device="cuda")
