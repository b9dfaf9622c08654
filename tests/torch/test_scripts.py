import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-torch")

from tests.torch.networks import (
    Maps,
    Saves,
    SavesWhenLoaded,
    record,
    reference,
    rewritten,
    save_script,
    small_network,
)
from vss.config import ModelSettings
from vss.errors import ModelCorrupt, ModelUnsafe
from vss.model_store.backends.torch import TorchModel

ON_CPU = ModelSettings(device="cpu")
IMAGES = np.random.default_rng(5).normal(size=(3, 3, 8, 8)).astype(np.float32)


def test_a_torchscript_file_answers_as_the_network_it_was_made_of(tmp_path: Path) -> None:
    network = small_network()
    model = TorchModel(reference(save_script(network, tmp_path / "m.pt")), ON_CPU)
    with torch.inference_mode():
        wanted = network(torch.from_numpy(IMAGES)).numpy()
    for _ in range(3):  # it is optimised after its first runs
        np.testing.assert_allclose(model.run(IMAGES)[0], wanted, atol=1e-6)
    assert model.input_shape == (None, 3, None, None)


def test_the_manifest_says_what_size_a_torchscript_file_takes(tmp_path: Path) -> None:
    file = save_script(small_network(), tmp_path / "m.pt")
    model = TorchModel(reference(file, input={"width": 16, "height": 8}), ON_CPU)
    assert model.input_shape == (None, 3, 8, 16)


def test_what_ultralytics_writes_beside_a_torchscript_model_is_its_metadata(tmp_path: Path) -> None:
    written = {"imgsz": [64, 96], "batch": 2, "names": {"0": "cat", "1": "dog"}, "task": "detect"}
    file = save_script(small_network(), tmp_path / "m.pt", {"config.txt": json.dumps(written)})
    model = TorchModel(reference(file), ON_CPU)
    assert model.input_shape == (2, 3, 64, 96)
    assert model.metadata["names"] == str(written["names"])


@pytest.mark.parametrize("module", [Saves, Maps, SavesWhenLoaded])
def test_a_torchscript_program_that_reaches_for_files_is_refused_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    file = save_script(module(), tmp_path / "m.pt")
    (tmp_path / "stolen").unlink(missing_ok=True)
    with pytest.raises(ModelUnsafe, match="reaches outside of the model"):
        TorchModel(reference(file), ON_CPU)
    assert not (tmp_path / "stolen").exists()


def test_without_the_check_it_would_have_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that the tests above refuse something."""
    monkeypatch.chdir(tmp_path)
    file = save_script(SavesWhenLoaded(), tmp_path / "m.pt")
    assert not (tmp_path / "stolen").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(file)
    assert (tmp_path / "stolen").exists()


@pytest.mark.parametrize(
    "line", ["ops.aten.save(x, 'a')", "ops.image.write_file('a', x)", "y = ops.mine.run(x)", "torch . save(x, 'a')"]
)
def test_operators_that_reach_out_are_found_under_any_of_their_names(tmp_path: Path, line: str) -> None:
    file = save_script(small_network(), tmp_path / "m.pt")
    reader = torch._C.PyTorchFileReader(str(file))
    name = next(name for name in reader.get_all_records() if name.endswith("networks.py") or "SmallNetwork" in name)
    code = record(file, name) + f"\n    {line}\n".encode()
    harmed = rewritten(file, {name: code}, tmp_path / "harmed.pt")
    with pytest.raises(ModelUnsafe, match="reaches outside"):
        TorchModel(reference(harmed), ON_CPU)


def test_half_a_torchscript_file_is_corrupt(tmp_path: Path) -> None:
    file = save_script(small_network(), tmp_path / "m.pt")
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(ModelCorrupt, match=r"m\.pt is no PyTorch model"):
        TorchModel(reference(file), ON_CPU)
