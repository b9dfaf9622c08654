"""What a file of PyTorch holds, and which of its formats it is in."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vss.errors import ConfigError, ModelCorrupt, ModelNotFound

Format = Literal["state_dict", "script", "program"]


@dataclass(frozen=True, slots=True)
class Network:
    """A network in evaluation mode.

    Attributes:
        module: Called with one batch.
        format: Of the file.
        input_shape: Batch first; None takes any number.
        dtype: Of its weights, a torch.dtype.
        metadata: What the file or its architecture says.
    """

    module: Any
    format: Format
    input_shape: tuple[int | None, ...]
    dtype: Any
    metadata: Mapping[str, str] = field(default_factory=dict)


def torch_runtime() -> Any:
    """The module `torch`.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ConfigError("PyTorch is not installed", fix="pip install 'vss-fleet[torch]'") from error
    return torch


def format_of(file: Path) -> Format:
    """Which format a file is in, read from what it contains: suffixes are used freely.

    A state dict is a ZIP archive or, before PyTorch 1.6, a bare stream; TorchScript has source code in its archive; an
    exported program has a graph.

    Raises:
        ModelNotFound: There is no such file.
        ModelCorrupt: It cannot be read, or is not as large as it says.
    """
    if not file.is_file():
        raise ModelNotFound(f"no such model file: {file}", fix="give the path of a model file")
    try:
        if not zipfile.is_zipfile(file):
            return "state_dict"
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise corrupt(file, error) from error
    # Nothing that PyTorch writes shrinks by much: its tensors are stored, its source code is small.
    if sum(entry.file_size for entry in entries) > 4 * file.stat().st_size + (64 << 20):
        raise ModelCorrupt(f"{file.name} unpacks to far more than its size", fix="save the model again")
    # Every name starts with the archive's own: `resnet/data.pkl`.
    names = [entry.filename.partition("/")[2] for entry in entries]
    if any(name.startswith("code/") for name in names):
        return "script"
    if any(name.startswith(("models/", "data/aotinductor/")) for name in names):
        return "program"
    return "state_dict"


def corrupt(file: Path, error: Exception) -> ModelCorrupt:
    """For a file that PyTorch cannot read."""
    # What it found comes after its advice to load the file without care, and before its guesses.
    text = (str(error) or type(error).__name__).rpartition("WeightsUnpickler error: ")[2]
    text = text.partition(" This is an internal")[0].strip().partition("\n")[0][:200]
    return ModelCorrupt(f"{file} is no PyTorch model that can be loaded: {text}", fix="save the model again")
