"""Readies PyTorch for a training that comes out the same each time."""

from __future__ import annotations

import importlib
import os
import random
from typing import TYPE_CHECKING

import numpy as np

from vss.errors import ConfigError

if TYPE_CHECKING:
    import torch


def need_training() -> None:
    """Refuses where what trains is not installed.

    Raises:
        ConfigError: Says what to install.
    """
    need("matplotlib", "onnx", "onnxscript", "skl2onnx", "sklearn", "torch", doing="training")


def need(*packages: str, doing: str) -> None:
    """Refuses where a package of the extra is not installed.

    Args:
        packages: By the names they are imported by.
        doing: What needs them, as the message calls it.

    Raises:
        ConfigError: Says what to install.
    """
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ConfigError(f"{doing} needs {error.name}", fix="pip install 'vss-fleet[train]'") from error


def prepare_torch(seed: int, device: str = "auto", threads: int | None = None) -> torch.device:
    """Seeds every source of chance, asks for deterministic algorithms, and chooses the device.

    The same seed gives the same weights on the same machine with the same number of threads: with another number, sums
    are made in another order.

    Args:
        seed: Any.
        device: `auto` takes CUDA where it is there, else `cpu` or `cuda`.
        threads: On the CPU; PyTorch's choice by default.

    Raises:
        ConfigError: PyTorch is not installed, or there is no such device.
    """
    need_training()
    import torch

    # Without this cuBLAS may choose another order of sums from run to run; it is read when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    if threads is not None:
        torch.set_num_threads(threads)
    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise ConfigError("PyTorch finds no CUDA device", fix="leave --device at auto, or install its CUDA build")
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"no device {device!r} to train on", fix="give --device auto, cpu or cuda")
    return torch.device("cuda" if found and device != "cpu" else "cpu")
