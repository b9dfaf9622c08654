"""Classifiers to measure with, made up: the graphs of well-known networks with random weights, which cost the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError
from vss.model_store.resolve import ModelRef, resolve_file

_MANIFEST: Final = "task: classification\n"
_SEED: Final = 0


def make_network(name: str, folder: Path) -> ModelRef:
    """Writes a network and its manifest.

    Args:
        name: `resnet18` (224 pixels, 1,000 classes) or `resnet20` (CIFAR's: 32 pixels, 10 classes).
        folder: Where to.

    Raises:
        ConfigError: The package `onnx` is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise ConfigError(
            "a made-up network needs the package onnx",
            fix="pip install 'vss-fleet[quantize]', or name a model with --model",
        ) from error
    file = folder / f"{name}.onnx"
    file.with_suffix(".yaml").write_text(_MANIFEST)
    graph = _Graph(onnx.helper)
    side, classes = _MAKERS[name](graph)
    made = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            name,
            [onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["batch", 3, side, side])],
            [onnx.helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["batch", classes])],
            [onnx.numpy_helper.from_array(value, key) for key, value in graph.weights.items()],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save(made, str(file))
    return resolve_file(file)


class _Graph:
    """Nodes and weights so far. Batch normalisation is folded into the convolutions, as exporters do."""

    def __init__(self, helper: Any) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, NDArray[np.float32]] = {}
        self._helper = helper
        self._random = np.random.default_rng(_SEED)

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def weight(self, *shape: int) -> str:
        """Drawn so that activations neither fade nor explode (He et al. 2015)."""
        name = f"weight_{len(self.weights)}"
        spread = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.01
        self.weights[name] = self._random.normal(0, spread, shape).astype(np.float32)
        return name

    def convolution(self, source: str, channels: tuple[int, int], size: int, stride: int) -> str:
        weight, bias = self.weight(channels[1], channels[0], size, size), self.weight(channels[1])
        return self.node(
            "Conv", [source, weight, bias], kernel_shape=[size, size], strides=[stride] * 2, pads=[size // 2] * 4
        )

    def block(self, source: str, channels: tuple[int, int], stride: int, *, projects: bool) -> str:
        """Two convolutions beside a short cut: the basic block of a residual network."""
        inner = self.node("Relu", [self.convolution(source, channels, 3, stride)])
        outer = self.convolution(inner, (channels[1], channels[1]), 3, 1)
        if stride == 1 and channels[0] == channels[1]:
            short = source
        elif projects:
            short = self.convolution(source, channels, 1, stride)
        else:
            short = self._thinned(source, channels, stride)
        return self.node("Relu", [self.node("Add", [outer, short])])

    def classifier(self, source: str, channels: int, classes: int) -> None:
        flat = self.node("Flatten", [self.node("GlobalAveragePool", [source])])
        weight, bias = self.weight(classes, channels), self.weight(classes)
        self.nodes.append(self._helper.make_node("Gemm", [flat, weight, bias], ["scores"], transB=1))

    def _thinned(self, source: str, channels: tuple[int, int], stride: int) -> str:
        """CIFAR's short cut: every other pixel, and channels of zeros on both sides."""
        side = (channels[1] - channels[0]) // 2
        constants = {"from": [0, 0], "to": [1 << 30] * 2, "axes": [2, 3], "steps": [stride] * 2}
        names = [self._integers(key, value) for key, value in constants.items()]
        pads = self._integers("pads", [0, side, 0, 0, 0, side, 0, 0])
        return self.node("Pad", [self.node("Slice", [source, *names]), pads])

    def _integers(self, name: str, values: Sequence[int]) -> str:
        name = f"{name}_{len(self.weights)}"
        self.weights[name] = np.array(values, np.int64)
        return name


def _resnet18(graph: _Graph) -> tuple[int, int]:
    tensor = graph.node("Relu", [graph.convolution("images", (3, 64), 7, 2)])
    tensor = graph.node("MaxPool", [tensor], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    tensor = _stages(graph, tensor, 64, widths=(64, 128, 256, 512), depth=2, projects=True)
    graph.classifier(tensor, 512, 1000)
    return 224, 1000


def _resnet20(graph: _Graph) -> tuple[int, int]:
    tensor = graph.node("Relu", [graph.convolution("images", (3, 16), 3, 1)])
    tensor = _stages(graph, tensor, 16, widths=(16, 32, 64), depth=3, projects=False)
    graph.classifier(tensor, 64, 10)
    return 32, 10


def _stages(graph: _Graph, tensor: str, before: int, *, widths: Sequence[int], depth: int, projects: bool) -> str:
    for stage, width in enumerate(widths):
        for i in range(depth):
            stride = 2 if stage and not i else 1
            tensor = graph.block(tensor, (before, width), stride, projects=projects)
            before = width
    return tensor


_MAKERS: Final[Mapping[str, Any]] = {"resnet18": _resnet18, "resnet20": _resnet20}
