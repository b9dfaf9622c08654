"""What the driver's library says, and what it does not."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from vss.config import ModelSettings
from vss.model_store.serving.memory import NvmlMemory, open_memory


class NvmlError(Exception):
    """As pynvml's."""


class FakeNvml:
    """A driver with one device (stands for the module `pynvml`)."""

    NVMLError = NvmlError

    def __init__(self) -> None:
        self.fails_at: str | None = None

    def nvmlInit(self) -> None:  # noqa: N802 - pynvml's name
        self._maybe_fail("init")

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802 - pynvml's name
        self._maybe_fail("handle")
        return f"device {index}"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802 - pynvml's name
        self._maybe_fail("handle")
        return f"device {uuid}"

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:  # noqa: N802 - pynvml's name
        self._maybe_fail("read")
        return SimpleNamespace(free=70, used={"device 0": 10, "device 3": 13, "device GPU-7": 17}[handle], total=80)

    def _maybe_fail(self, at: str) -> None:
        if self.fails_at == at:
            raise NvmlError(at)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    made = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", made)
    return made


def test_a_device_says_what_is_free_and_what_is_used(nvml: FakeNvml) -> None:
    memory = open_memory(ModelSettings(device="cuda"))
    assert isinstance(memory, NvmlMemory)
    assert (memory.free_bytes(), memory.used_bytes()) == (70, 10)
    nvml.fails_at = "read"
    assert (memory.free_bytes(), memory.used_bytes()) == (70, 10), "what it said last"


@pytest.mark.parametrize(("visible", "used"), [("", 10), ("3,0", 13), ("GPU-7", 17)])
def test_the_first_device_that_is_left_to_the_process_is_watched(nvml: FakeNvml, visible: str, used: int) -> None:
    memory = open_memory(ModelSettings(device="cuda"), visible_devices=visible)
    assert memory is not None
    assert memory.used_bytes() == used


@pytest.mark.parametrize("fails_at", ["init", "handle"])
def test_without_a_driver_or_a_device_there_is_no_memory_to_watch(nvml: FakeNvml, fails_at: str) -> None:
    nvml.fails_at = fails_at
    assert open_memory(ModelSettings(device="cuda")) is None


@pytest.mark.parametrize(("provider", "watched"), [("CUDAExecutionProvider", True), ("CPUExecutionProvider", False)])
def test_auto_watches_a_device_that_some_runtime_here_can_use(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, provider: str, watched: bool
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # no torch
    monkeypatch.setattr("vss.model_store.serving.memory.usable_providers", lambda device: (provider,))
    assert (open_memory(ModelSettings(device="auto")) is not None) == watched


def test_nobody_asks_for_an_accelerator_that_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # whose import would fail
    assert open_memory(ModelSettings(device="cpu")) is None
    assert open_memory(ModelSettings(device="cuda")) is None, "not installed"
