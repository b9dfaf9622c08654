"""From what a user writes (`yolo`, `yolo@3`, `path/to/yolo.onnx`) to a model file that may be loaded."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from vss.config import ModelSettings
from vss.errors import ModelCorrupt, ModelNotFound
from vss.model_store.checksums import SUMS_FILE, sha256_of, verify_file
from vss.model_store.layout import (
    MANIFEST_FILE,
    MODEL_FILE,
    inside,
    is_file_spec,
    is_valid_name,
    model_names,
    valid_name_from,
    versions_of,
)
from vss.model_store.manifest import Manifest, read_manifest

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """One version of one model.

    Attributes:
        name: In the store; made from the file's name for a file outside of it.
        version: A number in the store; the first 12 hexadecimal digits of the SHA-256 for a file outside of it, so
            that another file is another version there as well.
        file: On this machine; its suffix says what runs it.
        manifest: How it is used.
        smoke: The picture that the manifest names as its smoke input, on this machine.
    """

    name: str
    version: str
    file: Path
    manifest: Manifest
    smoke: Path | None = None


def resolve_model(spec: str, settings: ModelSettings) -> ModelRef:
    """Finds a model and checks that its file is the one that was stored.

    For what the operator writes, who may name any file. What comes from a record goes to `resolve_stored`.

    Args:
        spec: `NAME` (the highest version), `NAME@VERSION`, `NAME@latest`, or the path of an `.onnx` file.
        settings: The model store, and where files of one that is no folder are kept.

    Raises:
        ModelNotFound: No such file, model or version, or it lies outside the store.
        ModelCorrupt: The file of the store differs from its checksum.
        ConfigError: The manifest does not fit.
    """
    if is_file_spec(spec):
        return resolve_file(Path(spec).expanduser())
    name, at, version = spec.partition("@")
    return resolve_stored(Path(settings.store), name, version if at else LATEST)


def resolve_file(path: Path) -> ModelRef:
    """A file outside the store, with the manifest that lies beside it: `<stem>.yaml`, else `model.yaml`.

    Raises:
        ModelNotFound: There is no such file.
        ModelCorrupt: It cannot be read.
        ConfigError: The manifest does not fit.
    """
    if not path.is_file():
        raise ModelNotFound(f"no such model file: {path}", fix="give the path of an ONNX file, or the name of a model")
    try:
        version = sha256_of(path)[:12]
    except OSError as error:
        raise ModelCorrupt(f"{path} cannot be read: {error.strerror}", fix="check the file's permissions") from error
    return ModelRef(valid_name_from(path.stem), version, path, manifest_beside(path))


def manifest_beside(path: Path) -> Manifest:
    """The manifest of a file outside the store: `<stem>.yaml`, else `model.yaml`, else the defaults.

    Raises:
        ConfigError: It does not fit.
    """
    for manifest in (path.with_suffix(".yaml"), path.with_name(MANIFEST_FILE)):
        if manifest.is_file():
            return read_manifest(manifest)
    return Manifest()


def resolve_stored(store: Path, name: str, version: str = LATEST) -> ModelRef:
    """A version of a model of the store.

    Raises:
        ModelNotFound: No such model or version, or it lies outside the store.
        ModelCorrupt: The file differs from its checksum.
        ConfigError: The manifest does not fit.
    """
    versions = versions_of(store, name) if is_valid_name(name) else []
    if not versions:
        raise ModelNotFound(f"no model {name!r} in the store {store}", fix=_near(name, store))
    if version == LATEST:
        version = str(versions[-1])
    if version not in map(str, versions):
        raise ModelNotFound(
            f"model {name} has no version {version!r}", fix=f"versions of {name}: {', '.join(map(str, versions))}"
        )
    file = inside(store, name, version, MODEL_FILE)
    inside(store, name, version, SUMS_FILE)
    if not file.is_file():
        raise ModelCorrupt(f"version {version} of {name} has no {MODEL_FILE}", fix="add the model again")
    verify_file(file)
    return ModelRef(name, version, file, stored_manifest(store, name))


def stored_manifest(store: Path, name: str) -> Manifest:
    """The manifest of a model of the store; one of defaults where there is none.

    Raises:
        ModelNotFound: It lies outside the store.
        ConfigError: It does not fit.
    """
    path = inside(store, name, MANIFEST_FILE)
    return read_manifest(path) if path.is_file() else Manifest()


def _near(name: str, store: Path) -> str:
    near = difflib.get_close_matches(name, model_names(store), n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return "add it with `vss models add FILE --name NAME`, give a path that ends in .onnx, or name the store"
