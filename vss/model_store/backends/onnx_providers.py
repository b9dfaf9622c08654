"""Where ONNX Runtime runs a model: its providers, their options, and its errors as ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from vss.config import ModelSettings
from vss.errors import ConfigError, ModelCorrupt, ModelError, ModelTooLarge, ModelUnsupported

Device = Literal["auto", "cpu", "cuda", "tensorrt"]

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"
# What is asked for first, and what takes the operators it does not know.
_PROVIDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "cpu": (CPU,),
    "cuda": (CUDA, CPU),
    "tensorrt": (TENSORRT, CUDA, CPU),
}
_ENGINES: Final = "tensorrt"
_OUT_OF_MEMORY: Final = ("out of memory", "failed to allocate memory", "available memory of")

Provider = tuple[str, dict[str, str]]


def onnx_runtime() -> Any:
    """The module `onnxruntime`.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            "onnxruntime is not installed", fix="pip install 'vss-fleet[cpu]' (or 'vss-fleet[gpu]' for CUDA)"
        ) from error
    return onnxruntime


def usable_providers(device: Device) -> tuple[str, ...]:
    """What a model on that device would run with, first choice first.

    Raises:
        ConfigError: onnxruntime is missing or lacks the device.
    """
    return choose_providers(device, onnx_runtime().get_available_providers())


def choose_providers(device: Device, available: list[str]) -> tuple[str, ...]:
    """The providers of a device, of those that this onnxruntime has.

    Raises:
        ConfigError: It lacks the device.
    """
    if device == "auto":
        return _PROVIDERS["cuda" if CUDA in available else "cpu"]
    wanted = _PROVIDERS[device]
    if wanted[0] not in available:
        raise ConfigError(
            f"this onnxruntime cannot use {device}", fix="pip install 'vss-fleet[gpu]', or use --device cpu"
        )
    return tuple(provider for provider in wanted if provider in available)


def with_options(providers: tuple[str, ...], settings: ModelSettings, *, graphs: bool) -> list[str | Provider]:
    """Providers with the options that the settings mean.

    Args:
        providers: First choice first.
        settings: `precision`, `max_accelerator_bytes` and `download_cache` are read.
        graphs: Whether CUDA graphs will be captured.
    """
    chosen: list[str | Provider] = []
    for provider in providers:
        if provider == CUDA:
            chosen.append((CUDA, _cuda_options(settings, graphs=graphs)))
        elif provider == TENSORRT:
            chosen.append((TENSORRT, _tensorrt_options(settings)))
        else:
            chosen.append(provider)
    return chosen


def translated(error: Exception, file: Path) -> ModelError:
    """Our error for one that the runtime raised when it loaded a model."""
    kind, text = type(error).__name__, str(error).replace("\n", " ")[:300]
    if kind == "NotImplemented" or "opset" in text.lower():
        return ModelUnsupported(
            f"this onnxruntime cannot run {file.name}: {text}",
            fix="export the model with an older opset, or install a newer onnxruntime",
        )
    if any(phrase in text.lower() for phrase in _OUT_OF_MEMORY):
        return ModelTooLarge(
            f"{file.name} does not fit into the accelerator's memory: {text}",
            fix="use --device cpu or a smaller model, or raise model.max_accelerator_bytes",
        )
    return ModelCorrupt(f"{file} is no ONNX model that can be loaded: {text}", fix="export the model again")


def _cuda_options(settings: ModelSettings, *, graphs: bool) -> dict[str, str]:
    options = {
        "device_id": "0",
        # Twice what is needed, which is the default, is a lot where models share a device.
        "arena_extend_strategy": "kSameAsRequested",
        # Sizes are few and each is warmed up, so the search for the fastest algorithm pays.
        "cudnn_conv_algo_search": "EXHAUSTIVE",
    }
    if settings.max_accelerator_bytes is not None:
        options["gpu_mem_limit"] = str(settings.max_accelerator_bytes)
    if settings.precision == "fp32":
        options["use_tf32"] = "0"
    if graphs:
        options["enable_cuda_graph"] = "1"
    return options


def _tensorrt_options(settings: ModelSettings) -> dict[str, str]:
    engines = settings.download_cache.expanduser().parent / _ENGINES
    engines.mkdir(parents=True, exist_ok=True)
    options = {
        "device_id": "0",
        # An engine takes minutes to build.
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(engines),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(engines),
    }
    if settings.precision == "fp16":
        options["trt_fp16_enable"] = "1"
    elif settings.precision == "bf16":
        options["trt_bf16_enable"] = "1"
    return options
