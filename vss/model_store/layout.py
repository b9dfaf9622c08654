"""Where things lie in a model store, and what may be called what: `{store}/{name}/{version}/model.onnx`.

Names come from users, flags and headers of records, so every path made from one goes through `inside`.
"""

from __future__ import annotations

import re
from pathlib import Path

from vss.errors import ModelNotFound

MODEL_FILE = "model.onnx"
MANIFEST_FILE = "model.yaml"
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


def is_valid_name(name: str) -> bool:
    """Whether a model may be called so: `[a-z0-9][a-z0-9._-]*`, at most 100 characters."""
    return len(name) <= 100 and NAME_PATTERN.fullmatch(name) is not None


def is_file_spec(spec: str) -> bool:
    """Whether the text names a file rather than a model of the store."""
    return "/" in spec or "\\" in spec or spec.lower().endswith(".onnx")


def local_folder(address: str) -> Path | None:
    """The folder that a store's address names; None for an address of something else (`s3://…`)."""
    if address.startswith("file://"):
        return Path(address.removeprefix("file://"))
    return None if "://" in address else Path(address).expanduser()


def absolute_address(address: str) -> str:
    """The address as it means the same from every folder."""
    folder = local_folder(address)
    return address if folder is None else str(folder.absolute())


def valid_name_from(text: str) -> str:
    """The nearest valid name: `My Model` → `my-model`."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).lstrip("._-")[:100] or "model"


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


def model_names(store: Path) -> list[str]:
    """Names that have at least one version, sorted; a link that leads out of the store is no model."""
    if not store.is_dir():
        return []
    names = (path.name for path in store.iterdir() if is_valid_name(path.name))
    return sorted(name for name in names if _has_versions(store, name))


def versions_of(store: Path, name: str) -> list[int]:
    """Versions of a model, ascending; empty when there are none. What is not named as a version is no version."""
    folder = inside(store, name)
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if _VERSION.fullmatch(path.name) and path.is_dir())


def _has_versions(store: Path, name: str) -> bool:
    try:
        return bool(versions_of(store, name))
    except ModelNotFound:
        return False
