"""Models in PyTorch, on the CPU or CUDA."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.config import ModelSettings
from vss.errors import ConfigError, InferenceTimedOut, ModelTooLarge
from vss.model_store.backends.model import Interrupt
from vss.model_store.backends.torch_files.features import FeatureTap
from vss.model_store.backends.torch_files.network import Network, format_of, torch_runtime
from vss.model_store.backends.torch_files.precision import precision_of
from vss.model_store.backends.torch_files.program import read_program
from vss.model_store.backends.torch_files.script import read_script
from vss.model_store.backends.torch_files.state_dict import read_state_dict
from vss.model_store.resolve import ModelRef

_READERS: Final = {"state_dict": read_state_dict, "script": read_script, "program": read_program}


class TorchModel:
    """A loaded model (see `Model`): a state dict, a TorchScript archive or an exported program.

    On the CPU each call runs on the thread that makes it, as with `OnnxModel`; for that PyTorch is set to one thread an
    operation, which is a setting of the process. PyTorch cannot end a call that is under way: an interrupt is seen
    before a call starts, and whoever waits for one that has started gives the thread up.

    Args:
        ref: Which, and its manifest.
        settings: `device`, `precision`, `compile` and `features` are read. `precision` is for CUDA; the CPU computes in
            float32. A state dict's weights are converted to half precision, which halves their memory; the other
            formats keep theirs and compute what can be in half precision (autocast).

    Attributes:
        providers: `cpu` or `cuda:0`.
        on_cpu: Whether the CPU does all the work.
        metadata: What the file or its architecture says: `names`, `task`.
        input_shape: Of the input, batch first; None takes any number. A TorchScript file does not say, so there the
            manifest's `input.width` and `input.height` count.
        dtype: Of the input.
        resident_bytes: Of its parameters and buffers.
        network: What runs.

    Raises:
        ModelNotFound: There is no such file.
        ModelCorrupt: It is no model.
        ModelUnsafe: Loading it would or could run code.
        ModelUnsupported: Its architecture is not given or does not fit, or this torch cannot run it.
        ModelTooLarge: It does not fit into the memory of the device.
        ConfigError: torch or the device is missing, or a setting does not fit the model.
    """

    def __init__(self, ref: ModelRef, settings: ModelSettings) -> None:
        self._torch = torch_runtime()
        device = _device(self._torch, settings.device)
        self._threads = threading.local()
        self._one_thread()
        network = _READERS[format_of(ref.file)](ref, str(device))
        self.providers: tuple[str, ...] = (str(device),)
        self.on_cpu = device.type == "cpu"
        self.metadata: Mapping[str, str] = dict(network.metadata)
        self.input_shape = network.input_shape
        self.dtype: type[np.floating[Any]] = np.float32
        self._device = device
        self._precision = precision_of(network, settings.precision, on_cpu=self.on_cpu)
        # Modules are moved and converted in place, so what watches a layer goes on watching it.
        self._tap = FeatureTap(network, settings.features) if settings.features else None
        module = self._placed(network)
        self.resident_bytes = sum(
            tensor.numel() * tensor.element_size()
            for held in (module.parameters(), module.buffers())
            for tensor in held
        )
        # TorchScript has a compiler of its own.
        compiled = settings.compile and network.format != "script"
        self.network: Any = self._torch.compile(module) if compiled else module

    def run(self, batch: NDArray[np.float32], interrupt: Interrupt | None = None) -> list[NDArray[Any]]:
        """Runs one batch. See `Model`.

        Raises:
            InferenceTimedOut: The interrupt had fired before the call started.
            Exception: What PyTorch raises.
        """
        if interrupt is not None and interrupt.fired:
            raise InferenceTimedOut("the call was given up before it started")
        self._one_thread()
        with self._torch.inference_mode(), self._casting():
            images = self._torch.from_numpy(np.ascontiguousarray(batch)).to(self._device, self._precision.input)
            outputs = list(_tensors(self.network(images)))
            if self._tap is not None:
                outputs.append(self._tap.take())
            return [self._array(output) for output in outputs]

    def close(self) -> None:
        """Frees its memory. Idempotent; no call may be under way."""
        self.network = self._tap = None
        if not self.on_cpu:
            self._torch.cuda.empty_cache()

    def _one_thread(self) -> None:
        # PyTorch keeps this number for each thread that calls it, and takes the process's for new ones.
        if not getattr(self._threads, "set", False):
            self._torch.set_num_threads(1)
            self._threads.set = True

    def _placed(self, network: Network) -> Any:
        torch, module = self._torch, network.module
        try:
            if network.format == "state_dict":
                # With the channels last, convolutions of half precision are fastest on a GPU, and on the CPU those of
                # EfficientNet took a third less time.
                return module.to(self._device, self._precision.input, memory_format=torch.channels_last)
            return module if self.on_cpu else module.to(self._device)
        except torch.cuda.OutOfMemoryError as error:
            raise ModelTooLarge(
                f"the model does not fit into the memory of {self._device}", fix="use --device cpu or a smaller model"
            ) from error

    @contextlib.contextmanager
    def _casting(self) -> Iterator[None]:
        if self._precision.autocast is None:
            yield
            return
        with self._torch.autocast(self._device.type, dtype=self._precision.autocast):
            yield

    def _array(self, output: Any) -> NDArray[Any]:
        # NumPy has no bfloat16, and whoever reads results computes in float32.
        output = output.detach()
        array: NDArray[Any] = (output.float() if output.is_floating_point() else output).cpu().numpy()
        return array


def _device(torch: Any, wanted: str) -> Any:
    if wanted == "tensorrt":
        raise ConfigError("TensorRT runs ONNX models", fix="use --device cuda, or `vss models export` the model")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "this PyTorch cannot use cuda", fix="check the driver and that torch is a CUDA build, or use --device cpu"
        )
    return torch.device("cuda", 0) if wanted != "cpu" and torch.cuda.is_available() else torch.device("cpu")


def _tensors(output: Any) -> Iterator[Any]:
    """The tensors of whatever a network returns, in its order."""
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, list | tuple):
        for inner in output:
            yield from _tensors(inner)
    elif output is not None:
        yield output
