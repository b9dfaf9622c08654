"""Models in ONNX Runtime, on the CPU, CUDA or TensorRT."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError, ModelCorrupt, ModelError, ModelNotFound, ModelUnsupported
from vss.model_store.backends.model import Interrupt

Device = Literal["auto", "cpu", "cuda", "tensorrt"]

_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"
_TENSORRT: Final = "TensorrtExecutionProvider"
# What is asked for first, and what takes the operators it does not know.
_PROVIDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "cpu": (_CPU,),
    "cuda": (_CUDA, _CPU),
    "tensorrt": (_TENSORRT, _CUDA, _CPU),
}
_DTYPES: Final[Mapping[str, type[np.floating[Any]]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_ERRORS_ONLY: Final = 3


class OnnxModel:
    """A loaded model (see `Model`). `run` may be called from several threads at once.

    On the CPU each call runs on the thread that makes it: as many callers as cores on one session are 10 to 45 % ahead
    of one caller that spreads its call over the cores.

    Args:
        file: The ONNX file.
        device: Where it runs; `auto` takes CUDA where this onnxruntime has it.

    Attributes:
        providers: What ONNX Runtime uses, first choice first.
        on_cpu: Whether the CPU does all the work.
        metadata: What the exporter wrote into the file.
        input_shape: Of the input, batch first; None takes any number.
        dtype: Of the input.
        resident_bytes: Of its weights, about: the size of the file.

    Raises:
        ModelNotFound: There is no such file.
        ModelCorrupt: It is no ONNX model.
        ModelUnsupported: It has several inputs, or one of integers, or this runtime cannot run it.
        ConfigError: onnxruntime is missing or lacks the device.
    """

    def __init__(self, file: Path, *, device: Device = "auto") -> None:
        if not file.is_file():
            raise ModelNotFound(f"no such model file: {file}", fix="give the path of an ONNX file")
        self._session = _open_session(file, device)
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        self.on_cpu = self.providers[0] == _CPU
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.resident_bytes = file.stat().st_size
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise _unsupported(f"{file.name} has {len(inputs)} inputs: {', '.join(i.name for i in inputs)}")
        self._input = inputs[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]
        if inputs[0].type not in _DTYPES:
            raise _unsupported(f"the input {self._input} of {file.name} is {inputs[0].type}")
        self.dtype = _DTYPES[inputs[0].type]
        self.input_shape: tuple[int | None, ...] = tuple(
            n if isinstance(n, int) and n > 0 else None for n in inputs[0].shape
        )

    def run(self, batch: NDArray[np.float32], interrupt: Interrupt | None = None) -> list[NDArray[Any]]:
        """See `Model.run`."""
        options = None
        if interrupt is not None:
            options = _runtime().RunOptions()
            interrupt.on_fire(lambda: setattr(options, "terminate", True))
        outputs: list[NDArray[Any]] = self._session.run(
            self._outputs, {self._input: batch.astype(self.dtype, copy=False)}, options
        )
        return outputs

    def close(self) -> None:
        """See `Model.close`."""
        self._session = None


def usable_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_providers(device: Device) -> tuple[str, ...]:
    """What a model on that device would run with, first choice first.

    Raises:
        ConfigError: onnxruntime is missing or lacks the device.
    """
    return _providers(device, _runtime().get_available_providers())


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            "onnxruntime is not installed", fix="pip install 'vss-fleet[cpu]' (or 'vss-fleet[gpu]' for CUDA)"
        ) from error
    return onnxruntime


def _open_session(file: Path, device: Device) -> Any:
    ort = _runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    wanted = _providers(device, ort.get_available_providers())
    try:
        session = ort.InferenceSession(str(file), options, providers=list(wanted))
    except Exception as error:  # the runtime's errors share no class but this
        raise _translate(error, file) from error
    # A provider that cannot start (no driver, no GPU) is left out with a line on stderr.
    if device != "auto" and session.get_providers()[0] != wanted[0]:
        raise ConfigError(
            f"onnxruntime could not start {device}; it would use {session.get_providers()[0]}",
            fix="check the driver and the CUDA libraries, or use --device cpu",
        )
    return session


def _providers(device: Device, available: list[str]) -> tuple[str, ...]:
    if device == "auto":
        return _PROVIDERS["cuda" if _CUDA in available else "cpu"]
    wanted = _PROVIDERS[device]
    if wanted[0] not in available:
        raise ConfigError(
            f"this onnxruntime cannot use {device}", fix="pip install 'vss-fleet[gpu]', or use --device cpu"
        )
    return tuple(provider for provider in wanted if provider in available)


def _translate(error: Exception, file: Path) -> ModelError:
    kind, text = type(error).__name__, str(error).replace("\n", " ")[:300]
    if kind == "NotImplemented" or "opset" in text.lower():
        return ModelUnsupported(
            f"this onnxruntime cannot run {file.name}: {text}",
            fix="export the model with an older opset, or install a newer onnxruntime",
        )
    return ModelCorrupt(f"{file} is no ONNX model that can be loaded: {text}", fix="export the model again")


def _unsupported(message: str) -> ModelUnsupported:
    return ModelUnsupported(message, fix="export the model with one float input, batch first")
