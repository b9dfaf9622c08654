"""TorchScript: weights and a program in PyTorch's own language, which is interpreted.

That language knows no Python, no processes and no network, but it can write a tensor to any file and map any file, and
a class's `__setstate__` runs while the archive is loaded. So its source code is read first, and what reaches outside of
the model is refused.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from vss.errors import ModelError, ModelUnsafe, ModelUnsupported
from vss.model_store.backends.torch_files.network import Network, corrupt, torch_runtime
from vss.model_store.resolve import ModelRef

# Operators that reach files or other processes, under whatever name they are called: `torch.save`, `ops.aten.save`.
REACHING_OUT: Final = frozenset({"save", "from_file", "rpc_sync", "rpc_async", "rpc_remote"})
_NAMESPACES: Final = frozenset({"aten", "prim", "prims", "quantized", "torchvision"})
_CODE: Final = re.compile(r"^code/.*\.py$")
_ATTRIBUTE: Final = re.compile(r"\.\s*([A-Za-z_]\w*)")
_NAMESPACE: Final = re.compile(r"\bops\s*\.\s*([A-Za-z_]\w*)")
_CUSTOM_CLASS: Final = re.compile(r"__torch__\s*\.\s*torch\s*\.\s*classes\s*\.\s*([\w.]+)")
_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
# Where Ultralytics' exporter keeps what it knows of the model.
_METADATA_FILE: Final = "config.txt"


def read_script(ref: ModelRef, _device: str = "cpu") -> Network:
    """Loads a TorchScript archive on the CPU.

    Raises:
        ModelCorrupt: It cannot be read.
        ModelUnsafe: Its program reaches outside of the model.
        ModelUnsupported: This torch cannot run it.
    """
    torch = torch_runtime()
    extra = {_METADATA_FILE: ""}
    try:
        refuse_reaching_out(ref.file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is announced that TorchScript goes some day
            module = torch.jit.load(str(ref.file), map_location="cpu", _extra_files=extra)
    except ModelError:
        raise
    except Exception as error:  # the loader's errors share no class but this
        raise _translate(error, ref.file) from error
    module.eval()
    metadata = _metadata(extra[_METADATA_FILE])
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), None)
    return Network(module, "script", _input_shape(ref, metadata), dtype, metadata)


def refuse_reaching_out(file: Path) -> None:
    """Reads an archive's source code without running it.

    Raises:
        ModelUnsafe: It reaches outside of the model.
        RuntimeError: The archive cannot be read.
    """
    # The reader that loads it, so that both see the same entries.
    reader = torch_runtime()._C.PyTorchFileReader(str(file))
    for name in reader.get_all_records():
        if _CODE.match(name):
            for found in _reaching_out(reader.get_record(name).decode("utf-8", "replace")):
                raise ModelUnsafe(
                    f"{file.name} holds a program that calls {found}, which reaches outside of the model",
                    fix="export the model without it, or to ONNX",
                )


def _reaching_out(source: str) -> Iterator[str]:
    code = _TEXT.sub("''", source)
    yield from (found for found in _ATTRIBUTE.findall(code) if found in REACHING_OUT)
    yield from (f"ops.{found}" for found in _NAMESPACE.findall(code) if found not in _NAMESPACES)
    yield from _CUSTOM_CLASS.findall(code)


def _metadata(text: str | bytes) -> dict[str, str]:
    try:
        document = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in document.items()} if isinstance(document, dict) else {}


def _input_shape(ref: ModelRef, metadata: Mapping[str, str]) -> tuple[int | None, ...]:
    """A traced program does not say what it takes; the manifest or the exporter's metadata may."""
    spec = ref.manifest.input
    batch, (height, width) = None, _sides(metadata.get("imgsz", ""))
    if metadata.get("dynamic", "False") != "True" and metadata.get("batch", "").isdecimal():
        batch = int(metadata["batch"])
    return batch, 3, spec.height or height, spec.width or width


def _sides(text: str) -> tuple[int | None, int | None]:
    found = [int(number) for number in re.findall(r"\d{1,5}", text)]
    return (found[0], found[1]) if len(found) == 2 else (None, None)


def _translate(error: Exception, file: Path) -> ModelError:
    text = str(error)
    if "Unknown builtin op" in text or "does not exist" in text or ("version" in text and "supported" in text):
        return ModelUnsupported(
            f"this torch cannot run {file.name}: {text.strip().splitlines()[0][:200]}",
            fix="export the model with this version of torch, or to ONNX",
        )
    return corrupt(file, error)
