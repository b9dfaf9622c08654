"""A package with a task of its own, whose parts a test replaces, and a model for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.model_store.classification.tiny_classifier import write_classifier
from tests.model_store.plugin_package import install

_CODE = """
import numpy as np

class Room:
    def __init__(self, slots):
        self.batch = np.zeros((slots, 3, 32, 32), np.float32)
    def write(self, slot, image, source_wh):
        WRITE

class Task:
    labels = ()
    input_wh = (32, 32)
    facts = {}
    result_type = dict
    def decode_wh(self, width, height):
        return (32, 32)
    def inputs(self, slots):
        return Room(slots)
    def result(self, outputs, width, height):
        RESULT
    def classes_in(self, result):
        return []

REST

def load(ref, model, settings):
    return Task()
"""


def install_own_task(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    result: str = "return {'level': 1}",
    write: str = "pass",
    rest: str = "",
) -> Path:
    """Installs the package `own-package` with the task `own`, for this test alone.

    Args:
        site: A folder of the test's own.
        monkeypatch: Ends it.
        result: The body of its `result`.
        write: The body of its inputs' `write`.
        rest: Statements after the class.

    Returns:
        A model file of the task, `own.onnx`, with its manifest beside it.
    """
    code = _CODE.replace("RESULT", result).replace("WRITE", write).replace("REST", rest)
    install(site, package="own-package", task="own", points_to="load", code=code)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "own_package", raising=False)
    (site / "own.yaml").write_text("task: own\n")
    return write_classifier(site / "own.onnx")
