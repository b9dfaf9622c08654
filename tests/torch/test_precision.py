from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-torch")

from tests.torch.networks import reference, save_program, small_network
from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.backends import torch as backend
from vss.model_store.backends.torch import TorchModel
from vss.model_store.backends.torch_files.network import Format, Network
from vss.model_store.backends.torch_files.precision import Precision, precision_of

FP32, FP16, BF16 = torch.float32, torch.float16, torch.bfloat16


def network(file_format: Format, dtype: Any) -> Network:
    return Network(None, file_format, (), dtype)


@pytest.mark.parametrize(
    ("file_format", "weights", "wanted", "expected"),
    [
        ("state_dict", FP32, "auto", Precision(FP32)),
        ("state_dict", FP32, "fp16", Precision(FP16)),
        ("state_dict", FP32, "bf16", Precision(BF16)),
        ("state_dict", FP16, "auto", Precision(FP16)),
        ("state_dict", FP16, "fp32", Precision(FP32)),
        ("program", FP32, "auto", Precision(FP32)),
        ("program", FP32, "bf16", Precision(FP32, autocast=BF16)),
        ("script", FP32, "fp16", Precision(FP32, autocast=FP16)),
        ("script", FP16, "fp32", Precision(FP16)),
    ],
)
def test_on_cuda_weights_are_converted_and_programs_are_cast(
    monkeypatch: pytest.MonkeyPatch, file_format: Format, weights: Any, wanted: str, expected: Precision
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert precision_of(network(file_format, weights), wanted, on_cpu=False) == expected


@pytest.mark.parametrize("wanted", ["auto", "fp32", "fp16", "bf16"])
def test_the_cpu_computes_in_float32_unless_a_program_is_in_half_precision(wanted: str) -> None:
    assert precision_of(network("state_dict", FP16), wanted, on_cpu=True) == Precision(FP32)
    assert precision_of(network("script", FP32), wanted, on_cpu=True) == Precision(FP32)
    assert precision_of(network("program", BF16), wanted, on_cpu=True) == Precision(BF16)


def test_a_gpu_without_bf16_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(ConfigError, match="cannot compute in bf16"):
        precision_of(network("state_dict", FP32), "bf16", on_cpu=False)


@pytest.mark.parametrize("precision", [Precision(BF16), Precision(FP32, autocast=BF16)], ids=["converted", "autocast"])
def test_answers_in_half_precision_are_float32_and_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    """The paths of CUDA, on a CPU that is told to take them."""
    images = np.random.default_rng(5).normal(size=(3, 3, 8, 8)).astype(np.float32)
    original = small_network().to(precision.input)
    file = save_program(original, tmp_path / "m.pt2", dtype=precision.input)
    monkeypatch.setattr(backend, "precision_of", lambda *_, **__: precision)
    output = TorchModel(reference(file), ModelSettings(device="cpu")).run(images)[0]
    with torch.inference_mode():
        wanted = small_network()(torch.from_numpy(images)).numpy()
    assert output.dtype == np.float32
    assert 0 < np.abs(output - wanted).max() < 0.02
