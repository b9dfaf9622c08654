import subprocess
import sys
from pathlib import Path

import pytest

from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelUnsupported
from vss.model_store.backends.load import open_model
from vss.model_store.backends.onnx import OnnxModel
from vss.model_store.layout import MODEL_SUFFIXES
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef

OUTPUT = yolov8_output((32, 32, 16, 8, 1, 0.9))
ON_CPU = ModelSettings(device="cpu")


def reference(file: Path) -> ModelRef:
    return ModelRef("m", "1", file, Manifest())


def test_onnx_files_are_run_by_onnx_runtime(tmp_path: Path) -> None:
    for name in ("m.onnx", "M.ONNX"):
        assert isinstance(open_model(reference(write_model(tmp_path / name, OUTPUT)), ON_CPU), OnnxModel)


def test_an_onnx_file_is_opened_without_pytorch(tmp_path: Path) -> None:
    file = write_model(tmp_path / "m.onnx", OUTPUT)
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from tests.model_store.backends.test_load import ON_CPU, open_model, reference\n"
        f"open_model(reference(Path({str(file)!r})), ON_CPU)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.parametrize("suffix", [".pth", ".th", ".pt", ".pt2"])
def test_a_file_of_pytorch_says_what_to_install_where_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    file = tmp_path / f"m{suffix}"
    file.write_bytes(b"weights")
    with pytest.raises(ConfigError, match="PyTorch is not installed") as raised:
        open_model(reference(file), ON_CPU)
    assert raised.value.fix == "pip install 'vss-fleet[torch]'"


@pytest.mark.parametrize("name", ["m.tflite", "m.engine", "m", "m.onnx.gz"])
def test_a_file_that_nothing_here_runs_is_unsupported(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelUnsupported) as raised:
        open_model(reference(tmp_path / name), ON_CPU)
    assert all(suffix in raised.value.fix for suffix in MODEL_SUFFIXES)
