"""PyTorch's models on a real GPU."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch, in its CUDA build")

from tests.torch.networks import reference, save_program, save_script, small_network
from vss.config import ModelSettings
from vss.errors import ModelTooLarge
from vss.model_store.architectures.registry import find_architecture
from vss.model_store.backends.torch import TorchModel
from vss.model_store.resolve import ModelRef

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU and PyTorch's CUDA build")

IMAGES = np.random.default_rng(5).normal(size=(8, 3, 32, 32)).astype(np.float32)
# TF32, which convolutions use there, has ten bits of mantissa as fp16 has; bf16 has seven.
TOLERANCES = {"fp32": 0.01, "fp16": 0.02, "bf16": 0.1}


def settings(**values: Any) -> ModelSettings:
    return ModelSettings.model_validate({"device": "cuda"} | values)


@pytest.fixture
def cifar(tmp_path: Path) -> ModelRef:
    torch.manual_seed(3)
    torch.save(find_architecture("resnet20-cifar").build(10, ()).state_dict(), tmp_path / "m.pth")
    return reference(tmp_path / "m.pth", architecture="resnet20-cifar")


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("kind", ["state_dict", "script", "program"])
def test_a_gpu_answers_as_the_cpu_does(tmp_path: Path, cifar: ModelRef, kind: str, precision: str) -> None:
    refs = {
        "state_dict": lambda: cifar,
        "script": lambda: reference(save_script(small_network(), tmp_path / "s.pt")),
        "program": lambda: reference(save_program(small_network(), tmp_path / "p.pt2", side=32)),
    }
    ref = refs[kind]()
    wanted = TorchModel(ref, settings(device="cpu")).run(IMAGES)[0]
    model = TorchModel(ref, settings(precision=precision))
    output = model.run(IMAGES)[0]
    assert (model.providers, model.on_cpu) == (("cuda:0",), False)
    assert output.dtype == np.float32
    assert np.abs(output - wanted).max() < TOLERANCES[precision] * max(1.0, float(np.abs(wanted).max()))


def test_half_precision_halves_the_memory_of_a_state_dict(cifar: ModelRef) -> None:
    whole, half = TorchModel(cifar, settings(precision="fp32")), TorchModel(cifar, settings(precision="fp16"))
    assert half.resident_bytes == pytest.approx(whole.resident_bytes / 2, rel=0.01)


def test_embeddings_come_off_the_gpu(cifar: ModelRef) -> None:
    assert [output.shape for output in TorchModel(cifar, settings(features="pooled")).run(IMAGES)] == [(8, 10), (8, 64)]


def test_a_closed_model_gives_its_memory_back(cifar: ModelRef) -> None:
    before = torch.cuda.memory_allocated()
    model = TorchModel(cifar, settings())
    assert torch.cuda.memory_allocated() > before
    model.close()
    assert torch.cuda.memory_allocated() == before


def test_a_model_that_does_not_fit_is_too_large(cifar: ModelRef) -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-9)
    try:
        with pytest.raises(ModelTooLarge, match="does not fit into the memory of cuda:0"):
            TorchModel(cifar, settings())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
