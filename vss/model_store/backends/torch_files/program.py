"""Exported programs (`torch.export`): weights and a graph of PyTorch's operators.

Written by `torch.export.save`, they hold no code. But PyTorch's own loader takes more than that writes: it falls back
to pickles, evaluates sizes as Python, looks operators up anywhere below `torch`, `torch.os` included, and loads
compiled libraries. So an archive is held against a list of what a plain export has before the loader sees it.
"""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
from pathlib import Path
from typing import Any, Final

from vss.errors import ModelError, ModelUnsafe, ModelUnsupported
from vss.model_store.backends.torch_files.network import Network, corrupt, torch_runtime
from vss.model_store.backends.torch_files.script import REACHING_OUT
from vss.model_store.resolve import ModelRef

_PROGRAM: Final = "models/model.json"
_SAMPLES: Final = "data/sample_inputs/model.pt"
_PAYLOADS: Final = re.compile(r"data/(weights|constants)/model_\1_config\.json")
_RECORD: Final = re.compile(r"data/weights/weight_\d+|data/constants/tensor_\d+|extra/[^/]+|\.?[a-z_]+|\.data/[a-z_]+")
_TENSOR_FILE: Final = re.compile(r"(weight|tensor)_\d+")

# Values of these keys are read by PyTorch as more than text.
_TARGET: Final = re.compile(
    r"torch\.ops\.(?:aten|prims|torchvision|quantized_decomposed)\.(?!__)(\w+)(?:\.(?!__)\w+)?"
    r"|_operator\.(?:add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
    r"|math\.(?:ceil|floor|trunc|sqrt)|torch\.sym_(?:int|float|max|min|not|ite|sum|sqrt)"
)
_SIZE: Final = re.compile(
    r"(?:Symbol\('[a-z]+\d+'(?:, (?:positive|nonnegative|integer)=True)*\)"
    r"|(?:Add|Mul|Pow|Integer|Rational|Max|Min|FloorDiv|PythonMod|Mod|CleanDiv|ModularIndexing)(?=\()"
    r"|(?:int_)?oo|[a-z]+\d+|\d{1,12}|[-+*/(), ])*"
)
_SIZE_LENGTH: Final = 1000
_PLAIN: Final = re.compile(r"[\w .:+-]*")
_TREE_TYPES: Final = (None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")


def read_program(ref: ModelRef, device: str = "cpu") -> Network:
    """Loads an exported program for a device, whose name is part of its graph.

    Raises:
        ModelCorrupt: It cannot be read.
        ModelUnsafe: It holds more than `torch.export.save` writes, so that loading it could run code.
        ModelUnsupported: It has not one input, or this torch cannot run it.
    """
    program = load_program(ref.file)
    if device != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    inputs = [node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs]
    if len(inputs) != 1:
        raise ModelUnsupported(f"{ref.file.name} has {len(inputs)} inputs", fix="export the model with one input")
    value = inputs[0].meta["val"]
    module = program.module(check_guards=False)
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), None)
    # A size that is a number was fixed by the export; others are symbols.
    return Network(module, "program", tuple(n if type(n) is int else None for n in value.shape), dtype)


def load_program(file: Path) -> Any:
    """The `ExportedProgram` of a file. Raises as `read_program`."""
    torch = torch_runtime()
    try:
        from torch.export.pt2_archive._package import load_pt2
    except ImportError as error:
        raise ModelUnsupported(
            f"torch {torch.__version__} cannot load {file.name}", fix="pip install 'torch>=2.9'"
        ) from error
    try:
        refuse_more_than_a_graph(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("torch.export").setLevel(logging.ERROR)
            # Not `torch.export.load`: when this fails, that one tries a format of old that is read with pickle.
            program = load_pt2(str(file)).exported_programs["model"]
    except ModelError:
        raise
    except Exception as error:  # the loader's errors share no class but this
        raise _translate(error, file) from error
    program._guards_code = []  # Python text, which would be compiled
    return program


def refuse_more_than_a_graph(file: Path) -> None:
    """Reads an archive without running anything of it.

    Raises:
        ModelUnsafe: It holds more than `torch.export.save` writes for tensors and operators.
        Exception: The archive cannot be read.
    """
    torch = torch_runtime()
    reader = torch._C.PyTorchFileReader(str(file))  # the loader's own, so that both see the same entries
    names = list(reader.get_all_records())
    if len(set(names)) != len(names):
        raise _unsafe(file, "entries of one name")
    for name in names:
        if name == _PROGRAM:
            _check(json.loads(reader.get_record(name)), "", file)
        elif name == _SAMPLES:
            _check_samples(reader.get_record(name), file)
        elif _PAYLOADS.fullmatch(name):
            _check_payloads(json.loads(reader.get_record(name)), file)
        elif not _RECORD.fullmatch(name):
            raise _unsafe(file, f"the entry {name}")


def _check(value: Any, key: str, file: Path) -> None:
    """Walks the program; every text in it must be of the kind that its key takes."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not _PLAIN.fullmatch(name):
                raise _unsafe(file, f"the name {name!r}")
            if name != "metadata" and name != "guards_code":  # neither is evaluated, the latter because we drop it
                _check(inner, name, file)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, key, file)
    elif isinstance(value, str):
        if key == "target":
            match = _TARGET.fullmatch(value)
            if match is None or match[1] in REACHING_OUT:
                raise _unsafe(file, f"the operator {value}")
        elif key in ("expr_str", "min_val", "max_val"):
            if len(value) > _SIZE_LENGTH or value.count("**") + value.count("Pow") > 1 or not _SIZE.fullmatch(value):
                raise _unsafe(file, f"the size {value[:80]!r}")
        elif key in ("in_spec", "out_spec"):
            _check_tree(json.loads(value), file)
        elif not _PLAIN.fullmatch(value):
            raise _unsafe(file, f"{value[:80]!r} as {key}")


def _check_tree(tree: Any, file: Path) -> None:
    for node in tree if isinstance(tree, list) else [tree]:
        if isinstance(node, dict):
            if node.get("type") not in _TREE_TYPES:
                raise _unsafe(file, f"an argument of the type {node.get('type')}")
            _check_tree(node.get("children_spec", []), file)


def _check_payloads(document: Any, file: Path) -> None:
    for payload in document["config"].values():
        if payload.get("use_pickle") is not False or not _TENSOR_FILE.fullmatch(payload["path_name"]):
            raise _unsafe(file, f"{payload.get('path_name')!r}, which is no plain tensor")


def _check_samples(content: bytes, file: Path) -> None:
    try:
        torch_runtime().load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # the loader's errors share no class but this
        raise _unsafe(file, "sample inputs that are no plain tensors") from error


def _unsafe(file: Path, what: str) -> ModelUnsafe:
    return ModelUnsafe(
        f"{file.name} holds {what}: loading it could run code",
        fix="export the model again with torch.export.save, without custom operators, or to ONNX",
    )


def _translate(error: Exception, file: Path) -> ModelError:
    text = str(error)
    if "on a CUDA device" in text:
        return ModelUnsupported(f"{file.name} was exported on a GPU", fix="export it on the CPU: model.cpu()")
    if "version" in text or ("not found" in text and "torch.ops" in text):
        return ModelUnsupported(
            f"this torch cannot load {file.name}: {text.strip().splitlines()[0][:200]}",
            fix="export the model with this version of torch, or to ONNX",
        )
    return corrupt(file, error)
