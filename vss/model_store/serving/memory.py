"""What memory an accelerator has, and what a model will need of it before it is loaded."""

from __future__ import annotations

import importlib.util
import math
import os
from typing import Any, Final, Protocol

from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.backends.onnx import usable_providers
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import ACCELERATOR_BATCH, CPU_BATCH
from vss.model_store.runner.window_runner import ACCELERATOR_WINDOWS, CPU_WINDOWS, WindowRunner
from vss.model_store.serving.loaded_runner import LoadedRunner
from vss.model_store.tasks.registry import task_kind

_FLOAT_BYTES: Final = 4
# Activations of a convolutional network, in sizes of its input: the first layers have a quarter of the pixels and five
# to ten times the channels, and a runtime keeps a few of them at once. YOLOv8n and YOLOX-nano take 2 to 3 a call, and
# two or three calls are under way at once: with this, 178 MB for YOLOv8n on two cores, which was seen to hold 129.
_ACTIVATIONS: Final = 8
_RUNTIME_BYTES: Final = 16 << 20
_USUAL_WINDOW: Final = 100
_UNITS: Final = 64
"""Of a recurrent network, about; what a window's readings become in it."""


class AcceleratorMemory(Protocol):
    """The port to one accelerator. Called from any thread; raises nothing."""

    def free_bytes(self) -> int:
        """What nobody holds."""

    def used_bytes(self) -> int:
        """What is held, by whomever."""


class NvmlMemory:
    """Of an NVIDIA GPU, by its driver's library (see `AcceleratorMemory`).

    Args:
        nvml: The module `pynvml`, initialised.
        handle: Of the device.
    """

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle
        self._last = (0, 0)

    def free_bytes(self) -> int:
        """See `AcceleratorMemory.free_bytes`."""
        return self._read()[0]

    def used_bytes(self) -> int:
        """See `AcceleratorMemory.used_bytes`."""
        return self._read()[1]

    def _read(self) -> tuple[int, int]:
        try:
            info = self._nvml.nvmlDeviceGetMemoryInfo(self._handle)
        except self._nvml.NVMLError:  # a driver that is being replaced; what it said last is the best guess
            return self._last
        self._last = (int(info.free), int(info.used))
        return self._last


def open_memory(settings: ModelSettings, *, visible_devices: str | None = None) -> AcceleratorMemory | None:
    """The memory of the accelerator that models run on; None where they run on the CPU, or nothing tells of it.

    Args:
        settings: Whether an accelerator is used at all.
        visible_devices: Which are left to this process, the first of which it uses: numbers or `GPU-…`, as CUDA reads
            them; the environment's by default.
    """
    if settings.device == "cpu" or (settings.device == "auto" and not _may_use_accelerator()):
        return None
    try:
        import pynvml
    except ImportError:
        return None
    visible = visible_devices if visible_devices is not None else os.environ.get("CUDA_VISIBLE_DEVICES", "")
    first = visible.partition(",")[0].strip() or "0"
    try:
        pynvml.nvmlInit()
        if first.isdecimal():
            handle = pynvml.nvmlDeviceGetHandleByIndex(int(first))
        else:
            handle = pynvml.nvmlDeviceGetHandleByUUID(first)
    except pynvml.NVMLError:  # no driver, no such device
        return None
    return NvmlMemory(pynvml, handle)


def _may_use_accelerator() -> bool:
    """Whether a runtime that is installed here could."""
    if importlib.util.find_spec("torch") is not None:
        return True
    try:
        return usable_providers("auto")[0] != "CPUExecutionProvider"
    except ConfigError:  # no onnxruntime
        return False


def input_numbers_of(runner: LoadedRunner) -> int:
    """How many there are in the input for one picture or window."""
    if isinstance(runner, WindowRunner):
        return runner.spec.window * max(len(runner.spec.features), _UNITS)
    return 3 * math.prod(runner.task.input_wh)


def estimated_bytes(ref: ModelRef, *, on_accelerator: bool, input_numbers: int | None = None) -> int:
    """What a model will hold once it is loaded and warm.

    The manifest's `memory_bytes` where it has some. Else its weights, which take what its file takes; its activations,
    8 times the largest input that a worker gives it (4 pictures or 32 windows a call on the CPU, 32 or 1,024 on an
    accelerator), which is on the safe side of the networks that were looked at; and 16 MB for what a runtime needs for
    itself. A window counts as if it had 64 features at least: so many units, about, a recurrent network has.

    Args:
        ref: The model.
        on_accelerator: Where it will run.
        input_numbers: In its input for one picture or window, once that is known; before it is loaded the manifest's,
            else what is usual.
    """
    if ref.manifest.memory_bytes is not None:
        return ref.manifest.memory_bytes
    kind = task_kind(ref.manifest.task)
    if kind.takes == "series":
        batch = ACCELERATOR_WINDOWS if on_accelerator else CPU_WINDOWS
        usual = (ref.manifest.series.window or _USUAL_WINDOW) * _UNITS
    else:
        batch = ACCELERATOR_BATCH if on_accelerator else CPU_BATCH
        width, height = ref.manifest.input.width, ref.manifest.input.height
        usual = 3 * (width or kind.default_side) * (height or kind.default_side)
    inputs = batch * (input_numbers or usual) * _FLOAT_BYTES
    return ref.file.stat().st_size + _ACTIVATIONS * inputs + _RUNTIME_BYTES
