from __future__ import annotations

import pytest

from tests.model_store.backends.pretend_cuda import PretendMemory, PretendRuntime
from vss.model_store.backends import onnx as backend


@pytest.fixture
def pretend_cuda(monkeypatch: pytest.MonkeyPatch) -> tuple[PretendRuntime, PretendMemory]:
    """The backend sees a GPU."""
    runtime, memory = PretendRuntime(), PretendMemory()
    monkeypatch.setattr(backend, "onnx_runtime", lambda: runtime)
    monkeypatch.setattr(backend, "open_cuda_memory", lambda: memory)
    return runtime, memory
