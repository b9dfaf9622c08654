import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-torch")

import onnx
from click.testing import CliRunner

from tests.torch.networks import reference, save_program, save_script, small_network
from vss.cli.models.export import export as command
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelUnsupported, VssError
from vss.model_store import export
from vss.model_store.architectures.registry import find_architecture
from vss.model_store.backends.load import open_model
from vss.model_store.backends.torch import TorchModel
from vss.model_store.export import TOLERANCE, export_to_onnx
from vss.model_store.resolve import ModelRef
from vss.model_store.store import ModelStore

ON_CPU = ModelSettings(device="cpu")
LABELS = [f"c{i}" for i in range(10)]


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    file = tmp_path_factory.mktemp("cifar") / "birds.pth"
    torch.manual_seed(3)
    torch.save(find_architecture("resnet20-cifar").build(10, ()).state_dict(), file)
    return reference(file, architecture="resnet20-cifar", labels=LABELS)


def test_an_export_answers_as_its_model_for_any_number_of_pictures(tmp_path: Path, cifar: ModelRef) -> None:
    exported = export_to_onnx(cifar, ON_CPU, tmp_path / "out" / "m.onnx")
    assert exported.difference < TOLERANCE
    assert exported.input_shape == (None, 3, 32, 32)
    assert exported.size_bytes == exported.file.stat().st_size
    model, original = open_model(reference(exported.file), ON_CPU), TorchModel(cifar, ON_CPU)
    for count in (1, 4, 17):
        images = np.random.default_rng(count).normal(size=(count, 3, 32, 32)).astype(np.float32)
        np.testing.assert_allclose(model.run(images)[0], original.run(images)[0], atol=TOLERANCE)
    assert model.metadata["names"] == str(dict(enumerate(LABELS)))
    assert model.metadata["task"] == "classify"


def test_an_export_is_one_file_that_says_nothing_of_where_it_was_made(tmp_path: Path, cifar: ModelRef) -> None:
    file = export_to_onnx(cifar, ON_CPU, tmp_path / "m.onnx").file
    assert list(tmp_path.iterdir()) == [file]
    assert onnx.load(file).opset_import[0].version == export.OPSET
    assert b".py" not in file.read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_torchscript_and_exported_programs_are_exported_too(tmp_path: Path) -> None:
    script = reference(save_script(small_network(), tmp_path / "s.pt"), input={"width": 8, "height": 8})
    program = reference(save_program(small_network(), tmp_path / "p.pt2"))
    fixed = reference(save_program(small_network(), tmp_path / "f.pt2", dynamic=False))
    for ref, batch in ((script, None), (program, None), (fixed, 2)):
        exported = export_to_onnx(ref, ON_CPU, tmp_path / f"{ref.file.stem}.onnx")
        assert exported.input_shape == (batch, 3, 8, 8)
        assert exported.difference < TOLERANCE


@pytest.mark.parametrize("fault", [0.01, float("nan")])
def test_an_export_that_answers_differently_is_not_written(
    tmp_path: Path, cifar: ModelRef, monkeypatch: pytest.MonkeyPatch, fault: float
) -> None:
    run = TorchModel.run
    monkeypatch.setattr(TorchModel, "run", lambda *arguments: [output + fault for output in run(*arguments)])
    with pytest.raises(ModelUnsupported, match="differs from it by"):
        export_to_onnx(cifar, ON_CPU, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fails_or_is_interrupted_leaves_nothing(
    tmp_path: Path, cifar: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "_compared", fail)
    with pytest.raises(KeyboardInterrupt):
        export_to_onnx(cifar, ON_CPU, tmp_path / "m.onnx")
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: 1 / 0)
    with pytest.raises(ModelUnsupported, match="division by zero"):
        export_to_onnx(cifar, ON_CPU, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_left_alone(tmp_path: Path, cifar: ModelRef) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"mine")
    with pytest.raises(ConfigError, match="exists"):
        export_to_onnx(cifar, ON_CPU, file)
    with pytest.raises(ModelUnsupported, match="an ONNX file already"):
        export_to_onnx(reference(file), ON_CPU, tmp_path / "other.onnx")
    assert file.read_bytes() == b"mine"


def test_the_command_adds_the_next_version_of_a_model(tmp_path: Path, cifar: ModelRef) -> None:
    settings = ModelSettings(store=str(tmp_path / "models"))
    store = ModelStore.of(settings)
    store.add(cifar.file, "birds", cifar.manifest, check=lambda _: None)
    done = CliRunner().invoke(command, ["birds", "--add", "--json", "--store", settings.store])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["model"], document["version"]) == ("birds@1", "2")
    assert document["max_difference"] < TOLERANCE
    ref = store.find("birds")
    assert (ref.version, ref.file.suffix) == ("2", ".onnx")
    assert open_model(ref, ON_CPU).run(np.zeros((3, 3, 32, 32), np.float32))[0].shape == (3, 10)


def test_the_command_writes_a_file_named_after_the_model(
    tmp_path: Path, cifar: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (cifar.file.with_suffix(".yaml")).write_text("task: classification\narchitecture: resnet20-cifar\n")
    done = CliRunner().invoke(command, [str(cifar.file)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "birds.onnx").is_file()
    assert "any × 3 × 32 × 32" in done.stdout
    assert "at most, on random inputs" in done.stdout


def test_a_version_and_a_file_at_once_are_refused() -> None:
    done = CliRunner().invoke(command, ["birds", "--add", "--output", "x.onnx"])
    assert isinstance(done.exception, VssError)
    assert "give one of them" in done.exception.fix
