"""Small networks, their files, and the references that open them."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef


class SmallNetwork(nn.Module):
    """Three classes; takes pictures of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


class Sum(nn.Module):
    """Takes two inputs."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + b


class Saves(nn.Module):
    """Writes a file when it runs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, "stolen")
        return x


class Maps(nn.Module):
    """Maps a file when it runs, and makes it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_file("stolen", True, 4)


class SavesWhenLoaded(nn.Module):
    """Writes a file when it is saved, and when it is loaded."""

    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return torch.zeros(1), self.training

    def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
        torch.save(state[0], "stolen")
        self.training = state[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    torch.jit.export(__getstate__)
    torch.jit.export(__setstate__)


def small_network() -> Any:
    torch.manual_seed(7)
    return SmallNetwork().eval()


def reference(file: Path, **manifest: Any) -> ModelRef:
    return ModelRef("m", "1", file, Manifest.model_validate({"task": "classification"} | manifest))


def save_script(module: Any, file: Path, extra_files: dict[str, str] | None = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is announced that TorchScript goes some day
        torch.jit.save(torch.jit.script(module), file, _extra_files=extra_files)
    return file


def save_program(module: Any, file: Path, *, dynamic: bool = True, side: int = 8, dtype: Any = torch.float32) -> Path:
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},) if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.zeros(2, 3, side, side, dtype=dtype),), dynamic_shapes=shapes)
        torch.export.save(program, file)
    return file


def rewritten(file: Path, changes: dict[str, bytes], to: Path) -> Path:
    """A copy of an archive with other content for some entries, or with entries that are new."""
    reader = torch._C.PyTorchFileReader(str(file))
    names = [name for name in reader.get_all_records() if not name.startswith(".data/") and name != "byteorder"]
    writer = torch._C.PyTorchFileWriter(str(to))
    for name in dict.fromkeys([*names, *changes]):
        content = changes.get(name, reader.get_record(name) if name in names else b"")
        if name != "version":
            writer.write_record(name, content, len(content))
    writer.write_end_of_file()
    return to


def record(file: Path, name: str) -> bytes:
    content: bytes = torch._C.PyTorchFileReader(str(file)).get_record(name)
    return content
