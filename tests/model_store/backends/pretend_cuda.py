"""An onnxruntime whose CUDA is the CPU: everything that is ours runs as on a GPU, on sessions that are real."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
import onnxruntime

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class HostMemory:
    """The host's own memory, for the CPU: the same calls without a device (see `DeviceMemory`)."""

    name = "cpu"

    def upload(self, address: int, array: Any) -> None:
        """See `DeviceMemory.upload`."""
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def download(self, array: Any, address: int) -> None:
        """See `DeviceMemory.download`."""
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def pin(self, array: Any) -> bool:
        """See `DeviceMemory.pin`."""
        return False

    def unpin(self, address: int) -> None:
        """See `DeviceMemory.unpin`."""

    def free_bytes(self) -> int:
        """See `DeviceMemory.free_bytes`."""
        return 0


class PretendMemory(HostMemory):
    """The host's memory under the name of a GPU's; counts what is pinned and what crosses the bus."""

    name = "cuda"

    def __init__(self) -> None:
        self.pinned: set[int] = set()
        self.uploaded_bytes = 0
        self.free = 1 << 30

    def upload(self, address: int, array: Any) -> None:
        self.uploaded_bytes += array.nbytes
        super().upload(address, array)

    def pin(self, array: Any) -> bool:
        self.pinned.add(array.ctypes.data)
        return True

    def unpin(self, address: int) -> None:
        self.pinned.remove(address)

    def free_bytes(self) -> int:
        self.free -= 1 << 20
        return self.free


class _Binding:
    def __init__(self, session: Any, *, stale: bool) -> None:
        self.real = session.io_binding()
        self._stale = stale
        self._copy: Any = None

    def bind_input(self, name: str, device: str, device_id: int, dtype: Any, shape: Any, address: int) -> None:
        assert device == "cuda"
        if self._stale:
            self._copy = onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, dtype, "cpu", 0)
            ctypes.memmove(self._copy.data_ptr(), address, math.prod(shape) * np.dtype(dtype).itemsize)
            address = self._copy.data_ptr()
        self.real.bind_input(name, "cpu", device_id, dtype, shape, address)

    def bind_output(self, name: str, device: str, device_id: int) -> None:
        assert device == "cuda"
        self.real.bind_output(name, "cpu", device_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class _Session:
    def __init__(self, runtime: PretendRuntime, source: Any, options: Any) -> None:
        self._runtime = runtime
        self._real = onnxruntime.InferenceSession(source, options, providers=[CPU])

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def io_binding(self) -> _Binding:
        return _Binding(self._real, stale=self._runtime.stale_inputs)

    def run(self, outputs: Any, feeds: Any, options: Any = None) -> Any:
        self._runtime.plain_runs += 1
        return self._real.run(outputs, feeds, options)

    def run_with_iobinding(self, binding: _Binding, options: Any) -> None:
        if self._runtime.before_run(options):
            self._real.run_with_iobinding(binding.real, options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _OrtValue:
    @staticmethod
    def ortvalue_from_shape_and_type(shape: Any, dtype: Any, device: str, device_id: int) -> Any:
        assert device == "cuda"
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, dtype, "cpu", device_id)


class PretendRuntime:
    """Stands for the module onnxruntime.

    Attributes:
        opened: Options of each CUDA provider that was asked for.
        graph_ids: Of the runs so far that named one.
        fail_graphs: Raised by runs under a graph's id; None lets them pass.
        plain_runs: Runs that were not bound.
        stale_inputs: Whether a binding copies its input once and for all.
        fail_sessions: Raised when a session for graphs is opened.
        skip_replays: Whether a graph that is replayed does nothing.
    """

    OrtValue = _OrtValue
    SessionOptions = onnxruntime.SessionOptions
    RunOptions = onnxruntime.RunOptions

    def __init__(self) -> None:
        self.opened: list[dict[str, str]] = []
        self.graph_ids: list[str] = []
        self.fail_graphs: Exception | None = None
        self.plain_runs = 0
        self.stale_inputs = False
        self.fail_sessions: Exception | None = None
        self.skip_replays = False

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def InferenceSession(self, source: Any, options: Any, providers: list[Any]) -> Any:  # noqa: N802
        if providers == [CPU]:
            return onnxruntime.InferenceSession(source, options, providers=providers)
        (name, values), last = providers
        assert (name, last) == (CUDA, CPU)
        if self.fail_sessions is not None and "enable_cuda_graph" in values:
            raise self.fail_sessions
        self.opened.append(values)
        return _Session(self, source, options)

    def before_run(self, options: Any) -> bool:
        """Whether the model runs; else the outputs stay what they were."""
        try:
            graph_id = options.get_run_config_entry("gpu_graph_id")
        except RuntimeError:
            return True
        is_replay = graph_id != "-1" and graph_id in self.graph_ids
        self.graph_ids.append(graph_id)
        if self.fail_graphs is not None and int(graph_id) > 0:
            raise self.fail_graphs
        return not (is_replay and self.skip_replays)
