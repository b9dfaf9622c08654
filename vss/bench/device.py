"""What a bench ran on."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.backends.onnx_providers import CPU, onnx_runtime, usable_providers


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A device and what drives it.

    Attributes:
        name: As its maker calls it.
        memory_bytes: Of its own; 0 where that is not known.
        driver: Version of its driver; empty where there is none.
        onnxruntime: Version.
        cuda: Version that onnxruntime was built for; empty for a build without.
    """

    name: str
    memory_bytes: int
    driver: str
    onnxruntime: str
    cuda: str


def require_gpu(settings: ModelSettings) -> None:
    """Refuses to measure what is not there.

    Raises:
        ConfigError: onnxruntime has no GPU to run on.
    """
    try:
        providers = usable_providers(settings.device)
        reason = "" if providers[0] != CPU and _nvml() is not None else "there is no NVIDIA GPU with a driver"
    except ConfigError as error:
        reason = str(error)
    if reason:
        raise ConfigError(
            f"vss bench gpu needs a GPU: {reason}",
            fix="run it where `nvidia-smi` shows one, after pip install 'vss-fleet[gpu]', or use vss bench detect",
        )


def device_facts() -> DeviceFacts:
    """The first GPU, or the CPU where there is none."""
    ort = onnx_runtime()
    cuda = str(getattr(ort, "cuda_version", "") or "")
    nvml = _nvml()
    if nvml is None:
        return DeviceFacts(platform.processor() or platform.machine(), 0, "", str(ort.__version__), cuda)
    handle = nvml.nvmlDeviceGetHandleByIndex(0)
    return DeviceFacts(
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory_bytes=int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
        driver=_text(nvml.nvmlSystemGetDriverVersion()),
        onnxruntime=str(ort.__version__),
        cuda=cuda,
    )


def _nvml() -> Any | None:
    """NVIDIA's management library, initialised, where it and a GPU are there."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        return pynvml if pynvml.nvmlDeviceGetCount() else None
    except pynvml.NVMLError:
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
