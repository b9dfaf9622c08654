"""From what a user writes (`yolo`, `yolo@3`, `path/to/yolo.onnx`) to a model file that may be loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vss.config import ModelSettings
from vss.errors import ConfigError, ModelCorrupt, ModelNotFound
from vss.model_store.checksums import sha256_of
from vss.model_store.file_kind import stored_name
from vss.model_store.layout import MANIFEST_FILE, ONNX_SUFFIX, is_file_spec, valid_name_from
from vss.model_store.manifest import Manifest, read_manifest
from vss.model_store.series_task import series_task_in
from vss.model_store.storage.place import Progress, no_progress

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """One version of one model.

    Attributes:
        name: In the store; made from the file's name for a file outside of it.
        version: A number in the store; the first 12 hexadecimal digits of the SHA-256 for a file outside of it, so
            that another file is another version there as well.
        file: On this machine; its suffix says what runs it. Of a store that is no folder it lies in the download cache
            and may leave it later: load it now, or find it anew.
        manifest: How it is used.
        smoke: The picture that the manifest names as its smoke input, on this machine.
    """

    name: str
    version: str
    file: Path
    manifest: Manifest
    smoke: Path | None = None


def resolve_model(spec: str, settings: ModelSettings, *, progress: Progress = no_progress) -> ModelRef:
    """Finds a model and checks that its file is the one that was stored.

    For what the operator writes, who may name any file. What comes from a record goes to `ModelStore.find`.

    Args:
        spec: `NAME` (the highest version), `NAME@VERSION`, `NAME@latest`, or the path of a model file.
        settings: The model store, and where files of one that is no folder are kept.
        progress: Told of a download.

    Raises:
        ModelNotFound: No such file, model or version, or it lies outside the store.
        ModelCorrupt: The file of the store differs from its checksum.
        ModelTooLarge: It is larger than the settings allow.
        ConfigError: The manifest does not fit, or the store can never be reached.
        StoreUnavailable: The store does not answer now.
    """
    if is_file_spec(spec):
        return resolve_file(Path(spec).expanduser())
    from vss.model_store.store import ModelStore  # which makes a `ModelRef`

    name, at, version = spec.partition("@")
    return ModelStore.of(settings).find(name, version if at else LATEST, progress=progress)


def resolve_file(path: Path) -> ModelRef:
    """A file outside the store, with the manifest that lies beside it: `<stem>.yaml`, else `model.yaml`.

    Raises:
        ModelNotFound: There is no such file.
        ModelCorrupt: It cannot be read.
        ModelUnsafe: It carries code.
        ModelUnsupported: It is an archive, or of a framework that nothing here runs.
        ConfigError: The manifest does not fit.
    """
    if not path.is_file():
        raise ModelNotFound(f"no such model file: {path}", fix="give the path of a model file, or the name of a model")
    stored_name(path)  # what may not be added may not be loaded either
    try:
        version = sha256_of(path)[:12]
    except OSError as error:
        raise ModelCorrupt(f"{path} cannot be read: {error.strerror}", fix="check the file's permissions") from error
    manifest = manifest_beside(path)
    return ModelRef(valid_name_from(path.stem), version, path, manifest, smoke_beside(path, manifest))


def manifest_beside(path: Path) -> Manifest:
    """The manifest of a file outside the store: `<stem>.yaml`, else `model.yaml`, else the defaults.

    Where it names no task, that of what a series model says of itself holds.

    Raises:
        ConfigError: It does not fit.
    """
    beside = (path.with_suffix(".yaml"), path.with_name(MANIFEST_FILE))
    manifest = next((read_manifest(one) for one in beside if one.is_file()), Manifest())
    if "task" in manifest.model_fields_set or path.suffix.lower() != ONNX_SUFFIX:
        return manifest
    task = series_task_in(path)
    return manifest.model_copy(update={"task": task}) if task is not None else manifest


def smoke_beside(path: Path, manifest: Manifest) -> Path | None:
    """The smoke picture of a file outside the store, which lies beside it.

    Raises:
        ConfigError: The manifest names one that is not there.
    """
    if manifest.smoke.image is None:
        return None
    picture = path.with_name(manifest.smoke.image)
    if not picture.is_file():
        raise no_smoke(str(picture))
    return picture


def no_smoke(where: str) -> ConfigError:
    """The manifest names a smoke picture that is not there."""
    return ConfigError(f"{where}, the smoke picture that the manifest names, is missing", fix="put the picture there")
