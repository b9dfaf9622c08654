"""A small convolutional classifier of real weights, and pictures for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, save

from vss.model_store.quantisation.samples import Sample
from vss.model_store.runner.picture import Picture

SIDE = 32
LABELS = ("north", "east", "south", "west")
PLAIN = {"mean": (0, 0, 0), "std": (1, 1, 1), "width": SIDE, "height": SIDE}
"""Of a manifest's `input`, so that inputs are 0..1."""


def conv_net(
    *,
    channels: int = 16,
    activation: str = "silu",
    seed: int = 0,
    opset: int = 17,
    metadata: dict[str, str] | None = None,
) -> ModelProto:
    """Three convolutions with SiLU, ReLU or nothing between them and a residual connection; then a mean for each class.

    Layers are named `first`, `second`, `head`.
    """
    rng = np.random.default_rng(seed)

    def conv(name: str, source: str, inputs: int, outputs: int, size: int) -> tuple[list[NodeProto], list[TensorProto]]:
        weights = rng.normal(0, 1.4 / (size * np.sqrt(inputs)), (outputs, inputs, size, size)).astype(np.float32)
        bias = rng.normal(0, 0.1, outputs).astype(np.float32)
        constants = [numpy_helper.from_array(weights, f"{name}.w"), numpy_helper.from_array(bias, f"{name}.b")]
        pads = [size // 2] * 4
        return [helper.make_node("Conv", [source, f"{name}.w", f"{name}.b"], [name], name, pads=pads)], constants

    def active(name: str) -> list[NodeProto]:
        if activation != "silu":
            kind = {"relu": "Relu", "none": "Identity"}[activation]
            return [helper.make_node(kind, [name], [f"{name}.silu"], f"{name}.{kind}")]
        return [
            helper.make_node("Sigmoid", [name], [f"{name}.s"], f"{name}.sigmoid"),
            helper.make_node("Mul", [name, f"{name}.s"], [f"{name}.silu"], f"{name}.mul"),
        ]

    first, first_constants = conv("first", "images", 3, channels, 3)
    second, second_constants = conv("second", "first.silu", channels, channels, 3)
    head, head_constants = conv("head", "sum", channels, len(LABELS), 1)
    nodes = [
        *first,
        *active("first"),
        *second,
        *active("second"),
        helper.make_node("Add", ["first.silu", "second.silu"], ["sum"], "add"),
        *head,
        helper.make_node("GlobalAveragePool", ["head"], ["pooled"], "pool"),
        helper.make_node("Flatten", ["pooled"], ["logits"], "flatten"),
    ]
    graph = helper.make_graph(
        nodes,
        "conv_net",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [*first_constants, *second_constants, *head_constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, {"names": str(dict(enumerate(LABELS)))} | (metadata or {}))
    return model


def write(model: ModelProto, path: Path) -> Path:
    """The model in a file."""
    save(model, str(path))
    return path


def pictures(count: int, *, seed: int = 1) -> Iterator[NDArray[np.uint8]]:
    """Blobs of colour; shape (32, 32, 3) each."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        coarse = rng.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        yield cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def samples(count: int) -> list[Sample]:
    """The same as samples."""
    return [Sample(f"{i}", Picture.decoded(image)) for i, image in enumerate(pictures(count))]


def inputs(count: int) -> list[NDArray[np.float32]]:
    """The same as the model's inputs; shape (1, 3, 32, 32) each, 0..1."""
    return [(image[None, :, :, ::-1].transpose(0, 3, 1, 2) / 255).astype(np.float32) for image in pictures(count)]


def write_pictures(folder: Path, count: int) -> Path:
    """The same as files."""
    folder.mkdir()
    for i, image in enumerate(pictures(count)):
        cv2.imwrite(str(folder / f"{i:03}.png"), image)
    return folder


def names(nodes: Sequence[NodeProto]) -> list[str]:
    """Of nodes."""
    return [node.name for node in nodes]
