"""Series models that are small and predictable: a score is how far readings lie from a centre, a forecast the mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper, save

from vss.model_store.series_task import METADATA_KEY

WINDOW, FEATURES, HORIZON = 4, ("pressure", "flow"), 3


def spec_document(**changes: Any) -> dict[str, Any]:
    """What the tiny models say of themselves; None takes a key away."""
    document: dict[str, Any] = {
        "features": list(FEATURES),
        "window": WINDOW,
        "period_ms": 1000,
        "fallback": [0.0, 0.0],
        "threshold": 1.0,
        "kind": "tiny",
    } | changes
    return {key: value for key, value in document.items() if value is not None}


def write_anomaly(
    path: Path,
    *,
    centre: float = 0.0,
    gain: float = 1.0,
    spec: dict[str, Any] | None = None,
    divide: bool = False,
    shape: Sequence[str | int] | None = None,
    outputs: Sequence[str] = ("score", "feature_scores"),
    row: bool = True,
) -> Path:
    """`feature_scores`: gain x the mean distance of each feature from the centre; `score`: the mean of those.

    Args:
        path: Where to.
        centre: What is normal.
        gain: Of the scores.
        spec: What it says of itself; nothing where it is empty.
        divide: Whether readings are divided by the distance of their mean from the centre first, which may be 0.
        shape: Of the input.
        outputs: What score and feature_scores are called.
        row: Whether a score is one number a window, not a row of one.
    """
    document = spec_document() if spec is None else spec
    constants = {
        "centre": np.array(centre, np.float32),
        "gain": np.array(gain, np.float32),
        "time": np.array([1], np.int64),
    }
    nodes = [helper.make_node("Sub", ["window", "centre"], ["off"])]
    away = "off"
    if divide:
        nodes += [
            helper.make_node("ReduceMean", ["off", "time"], ["mean"], keepdims=1),
            helper.make_node("Div", ["off", "mean"], ["divided"]),
        ]
        away = "divided"
    score, by_feature = outputs
    nodes += [
        helper.make_node("Abs", [away], ["away"]),
        helper.make_node("ReduceMean", ["away", "time"], ["each"], keepdims=0),
        helper.make_node("Mul", ["each", "gain"], [by_feature]),
        helper.make_node("ReduceMean", [by_feature, "time"], [score], keepdims=0 if row else 1),
    ]
    sizes: Sequence[str | int] = shape if shape is not None else ["n", WINDOW, len(FEATURES)]
    ends = {score: ["n"] if row else ["n", 1], by_feature: ["n", sizes[-1]]}
    return _write(path, nodes, constants, sizes, ends, document)


def write_forecast(path: Path, *, spread: float = 1.0, spec: dict[str, Any] | None = None) -> Path:
    """Each step is the mean of the window; the interval reaches `spread` to either side."""
    document = spec_document(horizon=HORIZON, threshold=None) if spec is None else spec
    constants = {
        "spread": np.array(spread, np.float32),
        "time": np.array([1], np.int64),
        "steps": np.array([1, HORIZON, 1], np.int64),
    }
    nodes = [
        helper.make_node("ReduceMean", ["window", "time"], ["mean"], keepdims=1),
        helper.make_node("Tile", ["mean", "steps"], ["forecast"]),
        helper.make_node("Sub", ["forecast", "spread"], ["lower"]),
        helper.make_node("Add", ["forecast", "spread"], ["upper"]),
    ]
    ends: dict[str, list[Any]] = {name: ["n", HORIZON, len(FEATURES)] for name in ("lower", "upper", "forecast")}
    return _write(path, nodes, constants, ["n", WINDOW, len(FEATURES)], ends, document)


def _write(
    path: Path,
    nodes: Sequence[NodeProto],
    constants: dict[str, Any],
    sizes: Sequence[str | int],
    ends: dict[str, list[Any]],
    document: dict[str, Any],
) -> Path:
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, list(sizes))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if document:
        helper.set_model_props(model, {METADATA_KEY: json.dumps(document)})
    path.parent.mkdir(parents=True, exist_ok=True)
    save(model, str(path))
    return path
