import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-torch")

from tests.torch.networks import Sum, record, reference, rewritten, save_program, small_network
from vss.config import ModelSettings
from vss.errors import ModelCorrupt, ModelUnsafe, ModelUnsupported
from vss.model_store.backends.torch import TorchModel

ON_CPU = ModelSettings(device="cpu")
IMAGES = np.random.default_rng(5).normal(size=(3, 3, 8, 8)).astype(np.float32)
PROGRAM, WEIGHTS, SAMPLES = "models/model.json", "data/weights/model_weights_config.json", "data/sample_inputs/model.pt"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_program(small_network(), tmp_path_factory.mktemp("exported") / "m.pt2")


def test_an_exported_program_answers_as_the_network_it_was_made_of(exported: Path) -> None:
    model = TorchModel(reference(exported), ON_CPU)
    with torch.inference_mode():
        wanted = small_network()(torch.from_numpy(IMAGES)).numpy()
    np.testing.assert_allclose(model.run(IMAGES)[0], wanted, atol=1e-6)
    assert model.input_shape == (None, 3, 8, 8)
    assert model.resident_bytes == sum(parameter.numel() * 4 for parameter in small_network().parameters())


def test_a_batch_that_the_export_fixed_is_said(tmp_path: Path) -> None:
    file = save_program(small_network(), tmp_path / "m.pt2", dynamic=False)
    assert TorchModel(reference(file), ON_CPU).input_shape == (2, 3, 8, 8)


def test_the_suffix_does_not_matter(tmp_path: Path, exported: Path) -> None:
    file = tmp_path / "m.pth"
    file.write_bytes(exported.read_bytes())
    assert TorchModel(reference(file), ON_CPU).input_shape == (None, 3, 8, 8)


def test_a_program_with_two_inputs_is_unsupported(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(Sum(), (torch.zeros(1), torch.zeros(1))), tmp_path / "m.pt2")
    with pytest.raises(ModelUnsupported, match="has 2 inputs"):
        TorchModel(reference(tmp_path / "m.pt2"), ON_CPU)


class Malice:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def pickled(held: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(held, buffer)
    return buffer.getvalue()


def edited(file: Path, name: str, edit: Callable[[Any], None]) -> dict[str, bytes]:
    document = json.loads(record(file, name))
    edit(document)
    return {name: json.dumps(document).encode()}


def set_target(target: str) -> Callable[[Any], None]:
    return lambda document: document["graph_module"]["graph"]["nodes"][0].update(target=target)


def set_size(text: str) -> Callable[[Any], None]:
    def edit(document: Any) -> None:
        sizes = document["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
        sizes[0]["as_expr"]["expr_str"] = text

    return edit


def set_tree(document: Any) -> None:
    signature = document["graph_module"]["module_call_graph"][0]["signature"]
    signature["in_spec"] = signature["in_spec"].replace("builtins.tuple", "os.system", 1)


def set_input_name(document: Any) -> None:
    document["graph_module"]["graph"]["inputs"][-1]["as_tensor"]["name"] = "x=__import__('os').mkdir('made')"


HARMS: dict[str, Callable[[Path, Path], dict[str, bytes]]] = {
    "operator below torch": lambda file, _: edited(file, PROGRAM, set_target("torch.os.mkdir")),
    "operator that writes files": lambda file, _: edited(file, PROGRAM, set_target("torch.ops.aten.from_file.default")),
    "operator of an extension": lambda file, _: edited(file, PROGRAM, set_target("#mine:run")),
    "attribute of an operator": lambda file, _: edited(file, PROGRAM, set_target("torch.ops.aten.__class__")),
    "size that is code": lambda file, made: edited(file, PROGRAM, set_size(f"__import__('os').mkdir('{made}')")),
    "size that takes for ever": lambda file, _: edited(file, PROGRAM, set_size("9**9**9**9")),
    "name that is code": lambda file, _: edited(file, PROGRAM, set_input_name),
    "argument of another type": lambda file, _: edited(file, PROGRAM, set_tree),
    "sample inputs that run": lambda _, made: {SAMPLES: pickled(((Malice(made),), {}))},
    "weights that are pickled": lambda file, _: edited(
        file, WEIGHTS, lambda document: next(iter(document["config"].values())).update(use_pickle=True)
    ),
    "weights in a file of another kind": lambda file, _: edited(
        file, WEIGHTS, lambda document: next(iter(document["config"].values())).update(path_name="opaque_obj_0")
    ),
    "weights of the old kind": lambda _, made: {"data/weights/model.pt": pickled({"a": Malice(made)})},
    "compiled library": lambda *_: {"data/aotinductor/model/run.so": b"\x7fELF"},
    "second program": lambda file, _: {"models/other.json": record(file, PROGRAM)},
    "program of the old kind": lambda _, made: {"serialized_state_dict.pt": pickled(Malice(made))},
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_a_program_that_holds_more_than_a_graph_is_refused_and_nothing_of_it_runs(
    tmp_path: Path, exported: Path, harm: Callable[[Path, Path], dict[str, bytes]]
) -> None:
    made = tmp_path / "made"
    file = rewritten(exported, harm(exported, made), tmp_path / "harmed.pt2")
    with pytest.raises(ModelUnsafe, match=r"harmed\.pt2 holds .*: loading it could run code"):
        TorchModel(reference(file), ON_CPU)
    assert not made.exists()


def test_an_archive_that_is_written_again_without_a_change_still_loads(tmp_path: Path, exported: Path) -> None:
    """Proves that the tests above are refused for their change."""
    file = rewritten(exported, {}, tmp_path / "m.pt2")
    assert TorchModel(reference(file), ON_CPU).run(IMAGES)[0].shape == (3, 3)


def test_without_the_check_a_size_would_have_run_as_code(tmp_path: Path, exported: Path) -> None:
    """Proves that the check refuses something."""
    made = tmp_path / "made"
    file = rewritten(exported, HARMS["size that is code"](exported, made), tmp_path / "harmed.pt2")
    with pytest.raises(Exception, match=r".*"):
        torch.export.load(file)
    assert made.exists()


def test_half_a_program_is_corrupt(tmp_path: Path, exported: Path) -> None:
    file = tmp_path / "m.pt2"
    file.write_bytes(exported.read_bytes()[:-300])
    with pytest.raises(ModelCorrupt, match=r"m\.pt2 is no PyTorch model"):
        TorchModel(reference(file), ON_CPU)
