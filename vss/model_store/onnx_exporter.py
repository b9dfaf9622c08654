"""What PyTorch's exporter to ONNX needs beside it: silence, and its traces taken out of what it wrote."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def quiet_exporter() -> Iterator[None]:
    """The exporter reports its steps and advice on the standard outputs, as logs and as warnings: not in here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        silent = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def forget_origins(document: Any) -> None:
    """Removes what the exporter notes of every node: where in whose source files it comes from.

    Args:
        document: An `onnx.ModelProto`; changed in place.
    """
    graph = document.graph
    for held in (graph.node, graph.input, graph.output, graph.value_info, graph.initializer):
        for one in held:
            del one.metadata_props[:]
            one.doc_string = ""
    for function in document.functions:
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""
    del graph.metadata_props[:]
