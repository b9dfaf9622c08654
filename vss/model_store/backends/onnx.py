"""Models in ONNX Runtime, on the CPU, CUDA or TensorRT."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
from numpy.typing import NDArray

from vss.config import ModelSettings
from vss.errors import ConfigError, ModelNotFound, ModelUnsupported
from vss.model_store.backends.device_memory import DeviceMemory, open_cuda_memory
from vss.model_store.backends.model import Interrupt
from vss.model_store.backends.onnx_cuda import GATE, BindingsUnusable, DeviceCalls, GraphsUnusable
from vss.model_store.backends.onnx_providers import (
    CPU,
    CUDA,
    Device,
    choose_providers,
    onnx_runtime,
    translated,
    usable_providers,
    with_options,
)
from vss.model_store.backends.pixels import PixelScaling

__all__ = ["Device", "OnnxModel", "usable_cores", "usable_providers"]

_DTYPES: Final[Mapping[str, type[np.floating[Any]]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_ERRORS_ONLY: Final = 3
_PICTURES: Final = 4


class OnnxModel:
    """A loaded model (see `Model`). `run` may be called from several threads at once.

    On the CPU each call runs on the thread that makes it: as many callers as cores on one session are 10 to 45 % ahead
    of one caller that spreads its call over the cores. On an accelerator see `DeviceCalls`.

    Args:
        file: The ONNX file.
        settings: `device`, `precision`, `cuda_graphs`, `features`, `max_accelerator_bytes` and `download_cache` are
            read; the defaults when None.
        device: Where it runs, instead of the settings' device; `auto` takes CUDA where this onnxruntime has it.

    Attributes:
        providers: What ONNX Runtime uses, first choice first.
        on_cpu: Whether the CPU does all the work.
        metadata: What the exporter wrote into the file.
        input_shape: Of the input, batch first; None takes any number.
        dtype: Of the input; what `run` gets is converted to it.
        resident_bytes: Of its weights, about: the size of the file. On an accelerator what its memory lacked after the
            first call, if that is more.
        uses_graphs: Whether its calls are replayed as CUDA graphs.
        output_names: What its outputs are called, in the order in which `run` returns them.

    Raises:
        ModelNotFound: There is no such file.
        ModelCorrupt: It is no ONNX model.
        ModelUnsupported: It has several inputs, or one of integers, or this runtime cannot run it.
        ModelTooLarge: It does not fit into the accelerator's memory.
        ConfigError: onnxruntime is missing or lacks the device.
    """

    def __init__(self, file: Path, settings: ModelSettings | None = None, *, device: Device | None = None) -> None:
        if not file.is_file():
            raise ModelNotFound(f"no such model file: {file}", fix="give the path of an ONNX file")
        self._file = file
        self._settings = settings if settings is not None else ModelSettings()
        self._device: Device = device if device is not None else self._settings.device
        self._source = _source(file, self._settings)
        self._opening = threading.Lock()
        self._memory: DeviceMemory | None = None
        self._free_bytes = 0
        self._calls: DeviceCalls | None = None
        self.resident_bytes = file.stat().st_size
        self.uses_graphs = False
        self._session = self._open(graphs=self._settings.cuda_graphs)
        self.metadata: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise _unsupported(f"{file.name} has {len(inputs)} inputs: {', '.join(i.name for i in inputs)}")
        if inputs[0].type not in _DTYPES:
            raise _unsupported(f"the input {inputs[0].name} of {file.name} is {inputs[0].type}")
        self._input = inputs[0].name
        self.output_names = tuple(output.name for output in self._session.get_outputs())
        self.dtype: type[np.floating[Any]] = _DTYPES[inputs[0].type]
        self._takes: type[np.generic] = self.dtype
        self.input_shape: tuple[int | None, ...] = tuple(
            n if isinstance(n, int) and n > 0 else None for n in inputs[0].shape
        )
        self._bind()

    def run(self, batch: NDArray[Any], interrupt: Interrupt | None = None) -> list[NDArray[Any]]:
        """See `Model.run`."""
        if self._calls is not None:
            return self._run_on_device(batch, interrupt)
        options = None
        if interrupt is not None:
            options = onnx_runtime().RunOptions()
            interrupt.on_fire(lambda: setattr(options, "terminate", True))
        outputs: list[NDArray[Any]] = self._session.run(
            self.output_names, {self._input: batch.astype(self._takes, copy=False)}, options
        )
        return outputs

    def take_pixels(self, scaling: PixelScaling) -> bool:
        """See `TakesPixels.take_pixels`; on an accelerator alone, for the CPU scales nothing faster than OpenCV."""
        if self._calls is None or self._takes is np.uint8 or len(self.input_shape) != _PICTURES:
            return False
        from vss.model_store.backends.onnx_pixels import with_pixels

        content = with_pixels(self._source, scaling)
        if content is None:
            return False
        self._source = content
        sizes = [shape[1:] for shape in self._calls.warm]
        self._takes = np.uint8
        self._reopen(graphs=self.uses_graphs)
        # What was warm is warm again before it serves.
        for height, width in sizes:
            self.run(np.zeros((1, height, width, 3), np.uint8))
        return True

    def close(self) -> None:
        """See `Model.close`."""
        self._unbind()
        self._session = None

    def _run_on_device(self, batch: NDArray[Any], interrupt: Interrupt | None) -> list[NDArray[Any]]:
        calls = self._calls
        if calls is None:
            raise RuntimeError("the model is closed")
        try:
            outputs = calls.run(batch, interrupt)
        except GraphsUnusable:
            with self._opening:
                if self.uses_graphs:
                    self._reopen(graphs=False)
            return self._run_on_device(batch, interrupt)
        except BindingsUnusable:
            self._unbind()
            return self.run(batch, interrupt)
        if self._free_bytes and self._memory is not None:
            held = self._free_bytes - self._memory.free_bytes()
            self._free_bytes = 0
            self.resident_bytes = max(self.resident_bytes, held)
        return outputs

    def _open(self, *, graphs: bool) -> Any:
        ort = onnx_runtime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        wanted = choose_providers(self._device, ort.get_available_providers())
        graphs = graphs and wanted[0] == CUDA
        if wanted[0] != CPU:
            _preload(ort)
            self._memory = open_cuda_memory()
            self._free_bytes = self._memory.free_bytes() if self._memory is not None else 0
        try:
            with GATE.load(), contextlib.nullcontext() if wanted[0] == CPU else _prints_on_stderr():
                session = ort.InferenceSession(
                    self._source, options, providers=with_options(wanted, self._settings, graphs=graphs)
                )
        except Exception as error:  # the runtime's errors share no class but this
            if graphs:  # some of its nodes run on the CPU
                return self._open(graphs=False)
            raise translated(error, self._file) from error
        # A provider that cannot start (no driver, no GPU) is left out with a line on stderr.
        started: tuple[str, ...] = tuple(session.get_providers())
        if self._device != "auto" and started[0] != wanted[0]:
            raise ConfigError(
                f"onnxruntime could not start {self._device}; it would use {started[0]}",
                fix="check the driver and the CUDA libraries, or use --device cpu",
            )
        self.providers: tuple[str, ...] = started
        self.on_cpu = started[0] == CPU
        self.uses_graphs = graphs and not self.on_cpu
        return session

    def _bind(self) -> None:
        if self.on_cpu or self._memory is None:
            return
        self._calls = DeviceCalls(
            onnx_runtime(),
            self._session,
            self._memory,
            dtype=self._takes,
            fixed_batch=self.input_shape[0],
            graphs=self.uses_graphs,
        )

    def _unbind(self) -> None:
        calls, self._calls = self._calls, None
        if calls is not None:
            calls.close()

    def _reopen(self, *, graphs: bool) -> None:
        # The old one goes first: there may not be memory for both.
        self._unbind()
        self._session = None
        self._session = self._open(graphs=graphs)
        self._input = self._session.get_inputs()[0].name
        self._bind()


def usable_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _source(file: Path, settings: ModelSettings) -> str | bytes:
    if settings.features is None:
        return str(file)
    from vss.model_store.backends.onnx_features import with_features

    return with_features(file, settings.features)


def _preload(ort: Any) -> None:
    """Lets ONNX Runtime find the CUDA libraries that pip has installed; versions before 1.21 look on the system."""
    if (preload := getattr(ort, "preload_dlls", None)) is not None:
        with _prints_on_stderr():
            preload()


def _prints_on_stderr() -> contextlib.redirect_stdout[TextIO]:
    """ONNX Runtime prints which libraries it does not find, and a command's output is for its reader."""
    return contextlib.redirect_stdout(sys.stderr)


def _unsupported(message: str) -> ModelUnsupported:
    return ModelUnsupported(message, fix="export the model with one float input, batch first")
