import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-torch")

from tests.torch.networks import reference
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelCorrupt, ModelNotFound, ModelUnsafe, ModelUnsupported
from vss.model_store.architectures.registry import find_architecture
from vss.model_store.backends.torch import TorchModel

ON_CPU = ModelSettings(device="cpu")
CIFAR = "resnet20-cifar"


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(3)
    return find_architecture(CIFAR).build(10, ()).eval()


@pytest.fixture(scope="module")
def weights(network: Any) -> dict[str, Any]:
    return dict(network.state_dict())


def logits(network: Any, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(images)).numpy()  # type: ignore[no-any-return]


IMAGES = np.random.default_rng(5).normal(size=(3, 3, 32, 32)).astype(np.float32)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"state_dict": weights, "best_prec1": 0.9},
        lambda weights: {"model": weights, "epoch": 3},
        lambda weights: {"state_dict": {"conv1.weight": torch.zeros(1)}, "state_dict_ema": weights},
        lambda weights: {"model_ema": {"n_averaged": torch.tensor(1)} | {f"module.{k}": w for k, w in weights.items()}},
        lambda weights: {f"module.{name}": tensor for name, tensor in weights.items()},
        lambda weights: {"state_dict": {f"module._orig_mod.{name}": tensor for name, tensor in weights.items()}},
    ],
    ids=["bare", "state_dict", "model", "averaged", "averaged by torchvision", "parallel", "parallel and compiled"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])
def test_weights_are_found_wherever_training_programs_keep_them(
    tmp_path: Path, network: Any, weights: dict[str, Any], wrap: Callable[[Any], Any], zipped: bool
) -> None:
    file = tmp_path / "m.pth"
    torch.save(wrap(weights), file, _use_new_zipfile_serialization=zipped)
    model = TorchModel(reference(file, architecture=CIFAR), ON_CPU)
    assert model.input_shape == (None, 3, 32, 32)
    np.testing.assert_allclose(model.run(IMAGES)[0], logits(network, IMAGES), atol=1e-5)


def test_weights_in_half_precision_are_widened_on_the_cpu(
    tmp_path: Path, network: Any, weights: dict[str, Any]
) -> None:
    torch.save({name: tensor.half() for name, tensor in weights.items()}, tmp_path / "m.pth")
    model = TorchModel(reference(tmp_path / "m.pth", architecture=CIFAR), ModelSettings(device="cpu", precision="fp16"))
    outputs = model.run(IMAGES)
    assert outputs[0].dtype == np.float32
    np.testing.assert_allclose(outputs[0], logits(network, IMAGES), atol=0.02)


class Malice:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])
def test_a_file_that_carries_code_is_refused_and_the_code_does_not_run(
    tmp_path: Path, weights: dict[str, Any], zipped: bool
) -> None:
    file, made = tmp_path / "m.pth", tmp_path / "made"
    torch.save({"state_dict": weights, "x": Malice(made)}, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelUnsafe, match=r"m\.pth holds more than weights .*mkdir") as raised:
        TorchModel(reference(file, architecture=CIFAR), ON_CPU)
    assert "state_dict()" in raised.value.fix
    assert not made.exists()


@pytest.mark.parametrize(
    "held", [torch.nn.Linear(2, 2), {"model": {}, "args": argparse.Namespace(epochs=3)}], ids=["module", "arguments"]
)
def test_a_pickled_module_or_its_arguments_are_refused(tmp_path: Path, held: Any) -> None:
    torch.save(held, tmp_path / "m.pt")
    with pytest.raises(ModelUnsafe, match="holds more than weights"):
        TorchModel(reference(tmp_path / "m.pt", architecture=CIFAR), ON_CPU)


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: b"no model at all" * 10,
        lambda content: content[:-1000],
        lambda content: content[:5000] + b"\xff" * 200 + content[5200:],
    ],
    ids=["empty", "text", "cut off", "damaged"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])
def test_a_damaged_file_is_corrupt(
    tmp_path: Path, weights: dict[str, Any], harm: Callable[[bytes], bytes], zipped: bool
) -> None:
    file = tmp_path / "m.pth"
    torch.save(weights, file, _use_new_zipfile_serialization=zipped)
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(ModelCorrupt, match=r"m\.pth is no PyTorch model") as raised:
        TorchModel(reference(file, architecture=CIFAR), ON_CPU)
    assert "weights_only" not in str(raised.value), "nobody shall be told to load a file without care"


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no such model file"):
        TorchModel(reference(tmp_path / "none.pth", architecture=CIFAR), ON_CPU)


def test_a_file_without_weights_is_unsupported(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "m.pth")
    with pytest.raises(ModelUnsupported, match="no state dict"):
        TorchModel(reference(tmp_path / "m.pth", architecture=CIFAR), ON_CPU)


def test_weights_without_an_architecture_are_told_where_it_is_named(tmp_path: Path, weights: dict[str, Any]) -> None:
    torch.save(weights, tmp_path / "m.pth")
    with pytest.raises(ModelUnsupported, match="which network") as raised:
        TorchModel(reference(tmp_path / "m.pth"), ON_CPU)
    assert "architecture" in raised.value.fix


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("resnet32-cifar", r"not those of resnet32-cifar: it lacks layer1\.3\.conv1\.weight, .* and 57 more"),
        ("resnet18", "not those of resnet18: size mismatch for conv1.weight"),
    ],
)
def test_weights_of_another_network_are_unsupported(
    tmp_path: Path, weights: dict[str, Any], architecture: str, message: str
) -> None:
    torch.save(weights, tmp_path / "m.pth")
    with pytest.raises(ModelUnsupported, match=message):
        TorchModel(reference(tmp_path / "m.pth", architecture=architecture), ON_CPU)


def test_weights_with_something_besides_are_unsupported(tmp_path: Path, weights: dict[str, Any]) -> None:
    torch.save({"neck.weight": torch.zeros(2, 2)} | weights, tmp_path / "m.pth")
    with pytest.raises(ModelUnsupported, match=r"it has besides neck\.weight"):
        TorchModel(reference(tmp_path / "m.pth", architecture=CIFAR), ON_CPU)


def test_labels_must_be_as_many_as_the_classes(tmp_path: Path, weights: dict[str, Any]) -> None:
    torch.save(weights, tmp_path / "m.pth")
    with pytest.raises(ConfigError, match=r"10 classes apart, model\.yaml names 2"):
        TorchModel(reference(tmp_path / "m.pth", architecture=CIFAR, labels=["a", "b"]), ON_CPU)


def test_the_memory_of_a_model_is_that_of_its_tensors(tmp_path: Path, weights: dict[str, Any]) -> None:
    torch.save(weights, tmp_path / "m.pth")
    model = TorchModel(reference(tmp_path / "m.pth", architecture=CIFAR), ON_CPU)
    assert model.resident_bytes == sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    assert (model.providers, model.on_cpu, model.dtype) == (("cpu",), True, np.float32)
