"""A store with versions of one small detector: good ones, and such as fail in one way each."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.model_store.tiny_model import write_tiny_yolov8
from vss.config import ModelSettings
from vss.model_store.checksums import SUMS_FILE, sha256_of
from vss.model_store.manifest import Manifest
from vss.model_store.store import ModelStore

NAME = "gate"
DUSK = 51
"""How bright a picture is that a fussy version fails on, 0..255."""
NOON = 200


def add_version(folder: Path, file: Path) -> str:
    """Adds a file to the store as the next version, unchecked."""
    settings = ModelSettings(store=str(folder))
    return ModelStore.of(settings).add(file, NAME, Manifest(), check=lambda _: None).version


def add_good(folder: Path, scratch: Path) -> str:
    """A version that serves."""
    return add_version(folder, write_tiny_yolov8(scratch / "good.onnx"))


def add_fussy(folder: Path, scratch: Path) -> str:
    """A version that is loaded, warmed and proven, and then fails on pictures of `DUSK`."""
    return add_version(folder, write_fussy(scratch / "fussy.onnx"))


def add_unloadable(folder: Path, _scratch: Path) -> str:
    """A version whose file is as it was stored, and no model."""
    versions = sorted(int(p.name) for p in (folder / NAME).iterdir() if p.name.isdigit())
    last, new = folder / NAME / str(versions[-1]), folder / NAME / str(versions[-1] + 1)
    shutil.copytree(last, new)
    broken = new / "model.onnx"
    broken.chmod(0o644)
    broken.write_bytes(b"no model")
    sums = new / SUMS_FILE
    sums.chmod(0o644)
    sums.write_text(f"{sha256_of(broken)}  model.onnx\n")
    return new.name


def add_unwarmable(folder: Path, scratch: Path) -> str:
    """A version that loads and fails on every picture."""
    return add_version(folder, write_fussy(scratch / "never.onnx", within=1e9))


def write_fussy(path: Path, *, within: float = 0.002) -> Path:
    """The tiny detector, which fails where a picture's mean brightness, 0..1, is near that of `DUSK`."""
    model = onnx.load(str(write_tiny_yolov8(path)))
    graph = model.graph
    # An index out of range is an error of the runtime's, as a shape that does not fit would be.
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(DUSK / 255, np.float32), "dusk"),
            numpy_helper.from_array(np.array(within, np.float32), "within"),
            numpy_helper.from_array(np.array(9, np.int64), "far"),
            numpy_helper.from_array(np.zeros(1, np.float32), "only"),
        ]
    )
    output = graph.node[-1].output[0]
    graph.node[-1].output[0] = "whole"
    graph.node.extend(
        [
            helper.make_node("Sub", ["mean", "dusk"], ["beside"]),
            helper.make_node("Abs", ["beside"], ["distance"]),
            helper.make_node("Less", ["distance", "within"], ["is_near"]),
            helper.make_node("Cast", ["is_near"], ["one"], to=TensorProto.INT64),
            helper.make_node("Mul", ["one", "far"], ["index"]),
            helper.make_node("Gather", ["only", "index"], ["nothing_at_all"]),
            helper.make_node("Add", ["whole", "nothing_at_all"], [output]),
        ]
    )
    path.unlink()
    onnx.save(model, str(path))
    return path
