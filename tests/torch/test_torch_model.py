import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-torch")

from tests.torch.networks import reference, save_program, save_script, small_network
from vss.config import ModelSettings
from vss.errors import ConfigError, InferenceTimedOut
from vss.model_store.architectures.registry import find_architecture
from vss.model_store.backends.load import open_model
from vss.model_store.backends.model import Interrupt
from vss.model_store.backends.torch import TorchModel
from vss.model_store.resolve import ModelRef

IMAGES = np.random.default_rng(5).normal(size=(8, 3, 32, 32)).astype(np.float32)


def settings(**values: Any) -> ModelSettings:
    return ModelSettings.model_validate({"device": "cpu"} | values)


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    file = tmp_path_factory.mktemp("cifar") / "m.pth"
    torch.manual_seed(3)
    torch.save(find_architecture("resnet20-cifar").build(10, ()).state_dict(), file)
    return reference(file, architecture="resnet20-cifar")


@pytest.mark.parametrize("suffix", [".pth", ".th", ".pt", ".pt2"])
def test_files_of_pytorch_are_opened_by_their_suffix(tmp_path: Path, cifar: ModelRef, suffix: str) -> None:
    file = tmp_path / f"m{suffix}"
    shutil.copy(cifar.file, file)
    model = open_model(reference(file, architecture="resnet20-cifar"), settings())
    assert isinstance(model, TorchModel)
    assert model.run(IMAGES)[0].shape == (8, 10)


def test_every_thread_computes_with_one_core(cifar: ModelRef) -> None:
    model = TorchModel(cifar, settings())

    def threads_of_a_call() -> int:
        model.run(IMAGES[:1])
        return int(torch.get_num_threads())

    with ThreadPoolExecutor(2) as pool:
        assert [pool.submit(threads_of_a_call).result() for _ in range(2)] == [1, 1]


def test_a_call_that_was_given_up_does_not_start(cifar: ModelRef) -> None:
    model = TorchModel(cifar, settings())
    interrupt = Interrupt()
    assert model.run(IMAGES[:1], interrupt)[0].shape == (1, 10)
    interrupt.fire()
    with pytest.raises(InferenceTimedOut):
        model.run(IMAGES[:1], interrupt)


def test_a_closed_model_holds_nothing_and_may_be_closed_again(cifar: ModelRef) -> None:
    model = TorchModel(cifar, settings())
    model.close()
    model.close()
    assert model.network is None


def test_cuda_that_is_not_there_is_said(cifar: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="cannot use cuda"):
        TorchModel(cifar, settings(device="cuda"))
    assert TorchModel(cifar, settings(device="auto")).providers == ("cpu",)


def test_tensorrt_is_for_onnx(cifar: ModelRef) -> None:
    with pytest.raises(ConfigError, match="TensorRT runs ONNX models") as raised:
        TorchModel(cifar, settings(device="tensorrt"))
    assert "vss models export" in raised.value.fix


@pytest.mark.parametrize("layer", ["pooled", "layer3", "layer3.2.bn2"])
def test_a_layer_s_output_comes_last_as_one_vector_a_picture(cifar: ModelRef, layer: str) -> None:
    plain, watched = TorchModel(cifar, settings()), TorchModel(cifar, settings(features=layer))
    outputs = watched.run(IMAGES)
    assert [output.shape for output in outputs] == [(8, 10), (8, 64)]
    np.testing.assert_array_equal(outputs[0], plain.run(IMAGES)[0])


def test_pooled_is_what_the_last_layer_sees(cifar: ModelRef) -> None:
    model = TorchModel(cifar, settings(features="pooled"))
    logits, embedding = model.run(IMAGES)
    weight = model.network.linear.weight.detach().numpy()
    bias = model.network.linear.bias.detach().numpy()
    np.testing.assert_allclose(embedding @ weight.T + bias, logits, atol=1e-5)
    np.testing.assert_allclose(TorchModel(cifar, settings(features="layer3")).run(IMAGES)[1], embedding, atol=1e-6)


def test_pooled_works_where_the_last_layer_is_a_convolution(tmp_path: Path) -> None:
    torch.save(find_architecture("squeezenet1_1").build(3, ()).state_dict(), tmp_path / "m.pth")
    model = TorchModel(reference(tmp_path / "m.pth", architecture="squeezenet1_1"), settings(features="pooled"))
    assert model.run(IMAGES)[1].shape == (8, 512)


def test_tokens_are_averaged_as_pixels_are(cifar: ModelRef) -> None:
    model = TorchModel(cifar, settings(features="pooled"))
    assert model._tap is not None
    model._tap.put(torch.tensor([[[1.0, 2.0], [3.0, 6.0]]]))
    assert model._tap.take().tolist() == [[2.0, 4.0]]


def test_pooled_of_an_exported_program_is_that_of_its_network(tmp_path: Path) -> None:
    network = small_network()
    model = TorchModel(reference(save_program(network, tmp_path / "m.pt2", side=32)), settings(features="pooled"))
    with torch.inference_mode():
        wanted = torch.relu(network.conv(torch.from_numpy(IMAGES))).mean((2, 3)).numpy()
    np.testing.assert_allclose(model.run(IMAGES)[1], wanted, atol=1e-6)


def test_a_layer_that_is_not_there_is_answered_with_the_nearest(cifar: ModelRef) -> None:
    with pytest.raises(ConfigError, match="no layer 'layer4'") as raised:
        TorchModel(cifar, settings(features="layer4"))
    assert raised.value.fix == "did you mean layer3?"


def test_the_layers_of_programs_cannot_be_named(tmp_path: Path) -> None:
    script = save_script(small_network(), tmp_path / "m.pt")
    program = save_program(small_network(), tmp_path / "m.pt2")
    for file, layer in ((script, "pooled"), (program, "conv")):
        with pytest.raises(ConfigError, match="cannot be named"):
            TorchModel(reference(file), settings(features=layer))


def test_callers_side_by_side_get_their_own_answers_and_embeddings(cifar: ModelRef) -> None:
    model = TorchModel(cifar, settings(features="pooled"))
    alone = [model.run(IMAGES[i : i + 1]) for i in range(8)]
    start = threading.Barrier(4)

    def run_all(first: int) -> bool:
        start.wait()
        runs = [(i, model.run(IMAGES[i : i + 1])) for i in [*range(first, 8), *range(first)] * 3]
        return all(np.array_equal(a, b) for i, outputs in runs for a, b in zip(outputs, alone[i], strict=True))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run_all, range(4)))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler on the CPU")
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_answers_as_one_that_is_not(cifar: ModelRef) -> None:
    plain = TorchModel(cifar, settings(features="pooled"))
    compiled = TorchModel(cifar, settings(compile=True, features="pooled"))
    for count in (1, 3, 8):
        for one, other in zip(compiled.run(IMAGES[:count]), plain.run(IMAGES[:count]), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
