"""Whether there is a GPU for ONNX Runtime."""

from __future__ import annotations

import pytest


def missing() -> str:
    """What is missing; empty when a GPU can be used."""
    try:
        import onnxruntime
    except ImportError:
        return "needs onnxruntime-gpu"
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return "needs the extra gpu: this onnxruntime has no CUDA"
    try:
        import pynvml

        pynvml.nvmlInit()
        return "" if pynvml.nvmlDeviceGetCount() else "needs an NVIDIA GPU"
    except Exception as error:  # no package, no driver
        return f"needs an NVIDIA GPU and its driver: {type(error).__name__}"


needs_gpu = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a GPU")
