"""Models in memory, run as a worker runs them: one thread a call, on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto

_ERRORS_ONLY = 3


def open_session(model: ModelProto) -> Any:
    """An ONNX Runtime session of a model."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
