"""Calls of an ONNX Runtime session on an accelerator: inputs and outputs bound, copies beside the model's work.

A call takes one of two lanes. A lane has a place for a batch on the device, at an address that stays. Batches are
padded up to a few sizes, for a convolution's algorithm is searched for anew with each size. The caller's thread copies
the batch up and the outputs down, from and into page-locked memory, and one thread that belongs to the session runs the
model: ONNX Runtime keeps handles and workspaces for each thread that calls it, and captured graphs too. So one call's
copies pass beside another call's work.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.model_store.backends.capture_gate import CaptureGate
from vss.model_store.backends.device_memory import DeviceMemory
from vss.model_store.backends.device_thread import DeviceThread
from vss.model_store.backends.host_buffers import HostBuffers, PinnedInputs
from vss.model_store.backends.model import Interrupt

Array = NDArray[Any]

BATCH_SIZES: Final = (1, 4, 8, 16, 32)
"""Sizes that a batch is padded up to. A larger batch is run in parts."""
_LANES: Final = 2
_GRAPH_ID: Final = "gpu_graph_id"
_NO_GRAPH: Final = -1
# A replay runs the kernels that were captured, on the same numbers; only atomic additions may change their order.
_TOLERANCE: Final = 1e-3
GATE: Final = CaptureGate()
"""CUDA is one for the process, and so is what may run while a graph is captured."""


class GraphsUnusable(Exception):
    """This model cannot be captured as a CUDA graph, or its replay says something else."""


class BindingsUnusable(Exception):
    """Bound calls of this runtime say something else than its plain ones."""


@dataclass(slots=True)
class _Bound:
    """How a batch of one size is run.

    Attributes:
        binding: Of the input, and of the outputs where they have places.
        outputs: Places for the outputs; None where the runtime makes them anew with each call.
        graph_id: Of the captured graph; `_NO_GRAPH` before.
    """

    binding: Any
    outputs: list[Any] | None = None
    graph_id: int = _NO_GRAPH


@dataclass(slots=True)
class _Lane:
    """A place for one batch on the device, by the shape of its pictures, and the bindings to it, by the batch's."""

    inputs: dict[tuple[int, ...], Any] = field(default_factory=dict)
    bound: dict[tuple[int, ...], _Bound] = field(default_factory=dict)


class DeviceCalls:
    """Runs batches on a session. Thread-safe.

    Args:
        runtime: The module `onnxruntime`.
        session: Runs on the device of `memory`.
        memory: Of the device.
        dtype: Of the input.
        fixed_batch: The only batch size that the model takes; None when it takes any.
        graphs: Whether to capture CUDA graphs; the session must be opened for it.
        sizes: Batch sizes to pad up to.

    Attributes:
        warm: Shapes of pictures, without the batch axis, whose batches have all been run before.
    """

    def __init__(
        self,
        runtime: Any,
        session: Any,
        memory: DeviceMemory,
        *,
        dtype: type[np.generic],
        fixed_batch: int | None = None,
        graphs: bool = False,
        sizes: Sequence[int] = BATCH_SIZES,
    ) -> None:
        self._runtime = runtime
        self._session = session
        self._memory = memory
        self._input = session.get_inputs()[0].name
        self._outputs = [output.name for output in session.get_outputs()]
        self._dtype = np.dtype(dtype)
        self._sizes = (fixed_batch,) if fixed_batch is not None else tuple(sorted(sizes))
        self._graphs = graphs
        self._graph_ids = 0
        self._results = HostBuffers(memory)
        self._inputs = PinnedInputs(memory)
        self._lanes: queue.LifoQueue[_Lane] = queue.LifoQueue()
        for _ in range(_LANES):
            self._lanes.put(_Lane())
        self.warm: set[tuple[int, ...]] = set()
        self._warming = threading.Lock()
        self._thread = DeviceThread()

    def run(self, batch: Array, interrupt: Interrupt | None = None) -> list[Array]:
        """See `Model.run`. The first batch of pictures of a size warms up every batch size.

        Raises:
            GraphsUnusable: Graphs were asked for; open the session without.
            BindingsUnusable: Use the session's own `run`.
        """
        batch = np.ascontiguousarray(batch, self._dtype)
        self._warm_up(batch.shape[1:])
        self._inputs.see(batch)
        options = self._run_options(interrupt)
        largest = self._sizes[-1]
        parts = [self._run_part(batch[i : i + largest], options) for i in range(0, len(batch), largest)]
        return parts[0] if len(parts) == 1 else [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def close(self) -> None:
        """Frees its places. Idempotent; no call may be under way."""
        self._thread.close()
        while not self._lanes.empty():
            self._lanes.get()
        self._inputs.close()
        self._results.close()
        self._session = None

    def _warm_up(self, item_shape: tuple[int, ...]) -> None:
        if item_shape in self.warm:
            return
        with self._warming:
            if item_shape in self.warm:
                return
            lanes = [self._lanes.get() for _ in range(_LANES)]
            try:
                # TensorRT builds an engine for the smallest to the largest batch that it has met.
                self._verify(lanes[0], item_shape)
                for size in dict.fromkeys((self._sizes[0], self._sizes[-1], *self._sizes)):
                    for lane in lanes:
                        self._run_on(lane, _pattern((size, *item_shape), self._dtype), self._run_options(None))
            finally:
                for lane in lanes:
                    self._lanes.put(lane)
            self.warm.add(item_shape)

    def _verify(self, lane: _Lane, item_shape: tuple[int, ...]) -> None:
        """Holds bound calls against a plain one.

        A runtime that takes our place for one on another device copies it once, when it is bound, and answers every
        later batch as it did the first.
        """
        first = _pattern((self._sizes[0], *item_shape), self._dtype)
        self._run_on(lane, first, self._run_options(None))
        second = np.zeros_like(first)
        bound = self._run_on(lane, second, self._run_options(None))
        with GATE.call():
            plain = self._thread.run(lambda: self._session.run(self._outputs, {self._input: second}, self._no_graph()))
        for one, other in zip(bound, plain, strict=True):
            if not _close(one, other):
                raise BindingsUnusable("a bound call says something else than a plain one")

    def _run_part(self, batch: Array, options: Any) -> list[Array]:
        lane = self._lanes.get()
        try:
            return self._run_on(lane, batch, options)
        finally:
            self._lanes.put(lane)

    def _run_on(self, lane: _Lane, batch: Array, options: Any) -> list[Array]:
        count = len(batch)
        size = next(size for size in self._sizes if size >= count)
        shape = (size, *batch.shape[1:])
        with GATE.call():
            place = lane.inputs.get(shape[1:])
            if place is None:
                place = lane.inputs[shape[1:]] = self._place((self._sizes[-1], *shape[1:]), self._dtype)
            # What is left over of a larger batch holds pictures of before; nobody reads what the model says of them.
            self._memory.upload(place.data_ptr(), batch)
            bound = lane.bound.get(shape) or self._bind(shape, place)
        if shape not in lane.bound:
            if self._graphs:
                with GATE.capture():
                    self._thread.run(lambda: self._capture(bound))
            lane.bound[shape] = bound
        with GATE.call():
            outputs = self._thread.run(lambda: self._call(bound, options))
            return [self._fetched(output, count, size) for output in outputs]

    def _bind(self, shape: tuple[int, ...], place: Any) -> _Bound:
        binding = self._session.io_binding()
        binding.bind_input(self._input, self._memory.name, 0, self._dtype, list(shape), place.data_ptr())
        return _Bound(binding)

    def _place(self, shape: Sequence[int], dtype: Any) -> Any:
        return self._runtime.OrtValue.ortvalue_from_shape_and_type(list(shape), dtype, self._memory.name, 0)

    def _call(self, bound: _Bound, options: Any) -> list[Any]:
        """Runs the model on what lies in its place. On the session's thread."""
        if self._graphs:
            options.add_run_config_entry(_GRAPH_ID, str(bound.graph_id))
        if bound.outputs is None:
            # Bound anew: else the outputs of the last call are places for those of this one.
            for name in self._outputs:
                bound.binding.bind_output(name, self._memory.name, 0)
        self._session.run_with_iobinding(bound.binding, options)
        outputs: list[Any] = bound.outputs or bound.binding.get_outputs()
        return outputs

    def _capture(self, bound: _Bound) -> None:
        """Makes a graph of the model's call, and holds it against a call without.

        On the session's thread, with nobody else on the device.

        Raises:
            GraphsUnusable: It cannot be captured, or says something else.
        """
        try:
            plain = self._call(bound, self._run_options(None))
            expected = [output.numpy() for output in plain]
            bound.outputs = [self._place(array.shape, array.dtype) for array in expected]
            for name, place in zip(self._outputs, bound.outputs, strict=True):
                bound.binding.bind_ortvalue_output(name, place)
            self._graph_ids += 1
            bound.graph_id = self._graph_ids
            self._call(bound, self._run_options(None))  # runs it, captures it
            for place, array in zip(bound.outputs, expected, strict=True):
                place.update_inplace(np.zeros_like(array))
            self._call(bound, self._run_options(None))  # replays it
            replayed = [place.numpy() for place in bound.outputs]
        except Exception as error:  # the runtime's errors share no class but this
            raise GraphsUnusable(f"{type(error).__name__}: {error}") from error
        for one, other in zip(expected, replayed, strict=True):
            if not _close(one, other):
                raise GraphsUnusable("the replay of the graph gives other outputs than the model")

    def _fetched(self, output: Any, count: int, size: int) -> Array:
        shape = tuple(output.shape())
        # Without a batch axis an output belongs to all of the batch; the caller finds out.
        wanted = (count, *shape[1:]) if shape[:1] == (size,) else shape
        array = self._results.lend(wanted, _dtype_of(output))
        if array.nbytes:
            self._memory.download(array, output.data_ptr())
        return array

    def _no_graph(self) -> Any:
        options = self._run_options(None)
        if self._graphs:
            options.add_run_config_entry(_GRAPH_ID, str(_NO_GRAPH))
        return options

    def _run_options(self, interrupt: Interrupt | None) -> Any:
        options = self._runtime.RunOptions()
        if interrupt is not None:
            interrupt.on_fire(lambda: setattr(options, "terminate", True))
        return options


def _close(one: Array, other: Array) -> bool:
    """Whether two outputs are the same but for the order of sums."""
    scale = max(1.0, float(np.nanmax(np.abs(other), initial=0.0)))
    return one.shape == other.shape and np.allclose(
        one, other, rtol=_TOLERANCE, atol=_TOLERANCE * scale, equal_nan=True
    )


def _pattern(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """A batch of no two equal pictures: 0..250 for bytes, 0..1 for numbers."""
    steps = np.resize(np.arange(251, dtype=np.uint8), shape)
    return steps if dtype == np.uint8 else (steps / 251).astype(dtype)


_NUMPY_TYPES: Final = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}


def _dtype_of(output: Any) -> np.dtype[Any]:
    """NumPy's type for an OrtValue's: `tensor(float)`, `tensor(int64)`."""
    name: str = output.data_type()
    return np.dtype(_NUMPY_TYPES.get(name) or name.removeprefix("tensor(").removesuffix(")"))
