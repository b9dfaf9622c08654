"""Where things lie in a model store, and what may be called what: `{store}/{name}/{version}/model.onnx`.

Names come from users, flags and headers of records, so every path made from one goes through `inside`, or its parts
through `is_valid_name` where the store is no folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from vss.errors import ModelNotFound

MODEL_FILES: Final = ("model.onnx", "model.pth", "model.pt", "model.pt2")
"""What a version's file may be called: ONNX, a PyTorch state dict, TorchScript, `torch.export`."""
MANIFEST_FILE: Final = "model.yaml"
REMOVED_FILE: Final = "REMOVED"
"""What is left of a version that was removed, so that its number is never given again."""
ONNX_SUFFIX: Final = ".onnx"
TORCH_SUFFIXES: Final = (".pth", ".th", ".pt", ".pt2")
MODEL_SUFFIXES: Final = (ONNX_SUFFIX, *TORCH_SUFFIXES)
"""What a model file may end in; what does not is taken for a name."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


def is_valid_name(name: str) -> bool:
    """Whether a model may be called so: `[a-z0-9][a-z0-9._-]*`, at most 100 characters."""
    return len(name) <= 100 and _NAME.fullmatch(name) is not None


def is_valid_extra(name: str) -> bool:
    """Whether a file that lies beside a model file may be called so: as a model, and not as a model file."""
    return is_valid_name(name) and name not in (*MODEL_FILES, MANIFEST_FILE)


def is_file_spec(spec: str) -> bool:
    """Whether the text names a file rather than a model of the store."""
    return "/" in spec or "\\" in spec or spec.lower().endswith(MODEL_SUFFIXES)


def version_number(text: str) -> int | None:
    """The version that a folder's name is; None for what is none."""
    return int(text) if _VERSION.fullmatch(text) else None


def local_folder(address: str) -> Path | None:
    """The folder that a store's address names; None for an address of something else (`s3://…`)."""
    for scheme in ("file://", "local://"):
        if address.startswith(scheme):
            return Path(address.removeprefix(scheme))
    return None if "://" in address else Path(address).expanduser()


def absolute_address(address: str) -> str:
    """The address as it means the same from every folder."""
    folder = local_folder(address)
    return address if folder is None else str(folder.absolute())


def valid_name_from(text: str) -> str:
    """The nearest valid name: `My Model` → `my-model`."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).lstrip("._-")[:100] or "model"
    while name.endswith(MODEL_SUFFIXES):
        name = name.rpartition(".")[0] or "model"
    return name


def inside(store: Path, *parts: str) -> Path:
    """The path of the parts below the store.

    Raises:
        ModelNotFound: It lies outside once links are followed.
    """
    path = store.joinpath(*parts)
    try:
        held = path.resolve().is_relative_to(store.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a null byte
        held = False
    if not held:
        raise ModelNotFound(f"{path} leads out of the model store", fix="put the file itself there, not a link")
    return path
