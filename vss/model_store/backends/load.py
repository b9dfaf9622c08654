"""From a resolved model to one that runs; the file's suffix says what runs it."""

from __future__ import annotations

from vss.config import ModelSettings
from vss.errors import ModelUnsupported
from vss.model_store.backends.model import Model
from vss.model_store.layout import MODEL_SUFFIXES, ONNX_SUFFIX, TORCH_SUFFIXES
from vss.model_store.resolve import ModelRef


def open_model(ref: ModelRef, settings: ModelSettings) -> Model:
    """Loads a model, without running it.

    Args:
        ref: Which, and its manifest.
        settings: Where and how it runs.

    Raises:
        ModelNotFound: There is no such file.
        ModelCorrupt: It is no model.
        ModelUnsafe: Loading it would run code.
        ModelUnsupported: Nothing here runs such a file, or its input is none we know.
        ConfigError: What runs it is not installed, or lacks the device.
    """
    suffix = ref.file.suffix.lower()
    if suffix == ONNX_SUFFIX:
        from vss.model_store.backends.onnx import OnnxModel  # imports no torch, and below no onnxruntime

        return OnnxModel(ref.file, settings)
    if suffix in TORCH_SUFFIXES:
        from vss.model_store.backends.torch import TorchModel

        return TorchModel(ref, settings)
    raise ModelUnsupported(
        f"{ref.file.name} is no model file that can be run", fix=f"give a file that ends in {', '.join(MODEL_SUFFIXES)}"
    )
