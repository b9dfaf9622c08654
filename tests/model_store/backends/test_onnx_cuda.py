"""Bound calls: on the CPU's own provider, where bindings are real, and on a CPU that passes for a GPU."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from tests.model_store.backends.pretend_cuda import HostMemory, PretendMemory, PretendRuntime
from tests.model_store.classification.tiny_classifier import write_classifier
from tests.model_store.detection.tiny_models import SIDE, load, write_model, yolov8_output
from vss.config import ModelSettings
from vss.model_store.backends.model import Interrupt
from vss.model_store.backends.onnx import OnnxModel
from vss.model_store.backends.onnx_cuda import BATCH_SIZES, DeviceCalls
from vss.model_store.resolve import resolve_file
from vss.model_store.runner.runner import Runner

OUTPUT = yolov8_output((32, 32, 16, 8, 1, 0.5))
Pretend = tuple[PretendRuntime, PretendMemory]
RNG = np.random.default_rng(0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A model whose output tells pictures apart."""
    return write_model(tmp_path / "m.onnx", OUTPUT, brightness=np.ones_like(OUTPUT), outputs=2)


def pictures(count: int, side: int = SIDE) -> NDArray[np.float32]:
    return RNG.random((count, 3, side, side), np.float32)


def bound_calls(file: Path, **options: Any) -> tuple[Any, DeviceCalls]:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return session, DeviceCalls(onnxruntime, session, HostMemory(), dtype=np.float32, **options)


def assert_equal(one: list[Any], other: list[Any]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)


@pytest.mark.parametrize("graphs", [False, True])
def test_bound_calls_say_what_plain_ones_say(file: Path, graphs: bool) -> None:
    session, calls = bound_calls(file, graphs=graphs)
    for count in (1, 2, 4, 5, 16, 31, 32, 33, 70):
        batch = pictures(count)
        assert_equal(calls.run(batch), session.run(None, {"images": batch}))
    calls.close()


def test_bound_calls_of_a_real_detector_say_what_plain_ones_say(shared_data: Path) -> None:
    session, calls = bound_calls(shared_data / "models" / "yolox_nano.onnx", fixed_batch=1)
    for _ in range(2):
        batch = pictures(1, 416)
        assert_equal(calls.run(batch), session.run(None, {"images": batch}))
    calls.close()


def test_several_threads_get_each_its_own_answer(file: Path) -> None:
    session, calls = bound_calls(file)
    batches = [pictures(1 + i % 9) for i in range(60)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(calls.run, batches))
    for batch, answer in zip(batches, answers, strict=True):
        assert_equal(answer, session.run(None, {"images": batch}))
    calls.close()


def test_an_answer_stays_what_it_is_when_the_next_call_runs(file: Path) -> None:
    _, calls = bound_calls(file)
    first = calls.run(pictures(2))
    copies = [output.copy() for output in first]
    for _ in range(5):
        calls.run(pictures(2))
    assert_equal(first, copies)
    calls.close()


def test_a_call_that_was_given_up_raises(file: Path) -> None:
    _, calls = bound_calls(file)
    calls.run(pictures(1))
    interrupt = Interrupt()
    interrupt.fire()
    with pytest.raises(Exception, match="terminate"):
        calls.run(pictures(1), interrupt)
    assert len(calls.run(pictures(1))) == 2, "and the next one runs"
    calls.close()


def test_a_batch_that_the_model_refuses_raises_and_the_next_one_runs(tmp_path: Path) -> None:
    _, calls = bound_calls(write_model(tmp_path / "m.onnx", OUTPUT), sizes=(1, 4))
    with pytest.raises(Exception, match=r"Invalid|dimension|rank"):
        calls.run(pictures(2, SIDE * 2))
    assert calls.run(pictures(3))[0].shape[0] == 3
    calls.close()


def test_a_model_on_a_gpu_answers_as_on_the_cpu(file: Path, pretend_cuda: Pretend) -> None:
    model, plain = OnnxModel(file), onnxruntime.InferenceSession(str(file))
    assert (model.on_cpu, model.providers[0]) == (False, "CUDAExecutionProvider")
    batch = pictures(3)
    assert_equal(model.run(batch), plain.run(None, {"images": batch}))
    assert pretend_cuda[0].plain_runs == 1, "one to hold bound ones against"
    model.close()
    model.close()
    assert pretend_cuda[1].pinned == set()


def test_memory_that_is_gone_after_the_first_call_counts_as_the_models(file: Path, pretend_cuda: Pretend) -> None:
    model = OnnxModel(file)
    assert model.resident_bytes == file.stat().st_size
    model.run(pictures(1))
    assert model.resident_bytes >= 1 << 20
    model.close()


def test_every_batch_size_is_warm_after_the_first_call(file: Path, pretend_cuda: Pretend) -> None:
    runtime, _ = pretend_cuda
    model = OnnxModel(file, ModelSettings(cuda_graphs=True))
    model.run(pictures(1))
    captured = {graph_id for graph_id in runtime.graph_ids if graph_id != "-1"}
    assert len(captured) == 2 * len(BATCH_SIZES), "a graph for each lane and size"
    for count in range(1, 33):
        model.run(pictures(count))
    assert {graph_id for graph_id in runtime.graph_ids if graph_id != "-1"} == captured
    assert model.uses_graphs
    model.close()


def test_a_model_that_cannot_be_captured_runs_without_graphs(file: Path, pretend_cuda: Pretend) -> None:
    runtime, _ = pretend_cuda
    runtime.fail_graphs = RuntimeError("operation not permitted when stream is capturing")
    model, plain = OnnxModel(file, ModelSettings(cuda_graphs=True)), onnxruntime.InferenceSession(str(file))
    batch = pictures(2)
    assert_equal(model.run(batch), plain.run(None, {"images": batch}))
    assert not model.uses_graphs
    assert ["enable_cuda_graph" in options for options in runtime.opened] == [True, False]
    model.close()


def test_a_model_with_nodes_on_the_cpu_is_opened_without_graphs(file: Path, pretend_cuda: Pretend) -> None:
    runtime, _ = pretend_cuda
    runtime.fail_sessions = RuntimeError("all compute graph nodes have not been partitioned to the CUDA EP")
    model = OnnxModel(file, ModelSettings(cuda_graphs=True))
    assert (model.uses_graphs, len(model.run(pictures(1)))) == (False, 2)
    model.close()


def test_a_replay_that_says_something_else_is_not_used(file: Path, pretend_cuda: Pretend) -> None:
    runtime, _ = pretend_cuda
    runtime.skip_replays = True
    model, plain = OnnxModel(file, ModelSettings(cuda_graphs=True)), onnxruntime.InferenceSession(str(file))
    batch = pictures(2)
    assert_equal(model.run(batch), plain.run(None, {"images": batch}))
    assert not model.uses_graphs
    model.close()


def test_a_runtime_that_copies_a_place_once_and_for_all_is_run_without_bindings(
    file: Path, pretend_cuda: Pretend
) -> None:
    runtime, _ = pretend_cuda
    runtime.stale_inputs = True
    model, plain = OnnxModel(file), onnxruntime.InferenceSession(str(file))
    for _ in range(2):
        batch = pictures(2)
        assert_equal(model.run(batch), plain.run(None, {"images": batch}))
    assert runtime.plain_runs == 3, "one to find out"
    model.close()


def test_a_detector_on_a_gpu_sends_bytes_and_finds_the_same(shared_data: Path, pretend_cuda: Pretend) -> None:
    _, memory = pretend_cuda
    file = shared_data / "models" / "yolox_nano.onnx"
    photos = sorted((shared_data / "coco128" / "images").glob("*.jpg"))[:3]
    images = [np.asarray(cv2.imread(str(path)), np.uint8) for path in photos]
    on_cpu = load(file, device="cpu", confidence=0.3)
    on_gpu = load(file, device="auto", confidence=0.3)
    memory.uploaded_bytes = 0
    found = [answer.value for answer in on_gpu.run(images)]
    assert memory.uploaded_bytes == len(images) * 416 * 416 * 3, "a byte a channel"
    assert found == [answer.value for answer in on_cpu.run(images)]
    assert sum(map(len, found)) > 3
    on_cpu.close()
    on_gpu.close()
    assert memory.pinned == set()


def test_a_classifier_on_a_gpu_sends_bytes_and_says_the_same(tmp_path: Path, pretend_cuda: Pretend) -> None:
    _, memory = pretend_cuda
    (tmp_path / "m.yaml").write_text("task: classification\n")
    ref = resolve_file(write_classifier(tmp_path / "m.onnx"))
    on_cpu, on_gpu = (Runner.load(ref, ModelSettings.model_validate({"device": d})) for d in ("cpu", "auto"))
    images = [RNG.integers(0, 256, (50, 70, 3), np.uint8) for _ in range(3)]
    memory.uploaded_bytes = 0
    found = [answer.value for answer in on_gpu.run(images)]
    assert memory.uploaded_bytes == 3 * 32 * 32 * 3
    for one, answer in zip(found, on_cpu.run(images), strict=True):
        assert [p.class_ for p in one] == [p.class_ for p in answer.value]
        assert [p.confidence for p in one] == pytest.approx([p.confidence for p in answer.value], abs=1e-4)
    on_cpu.close()
    on_gpu.close()


def test_an_accelerator_gets_a_micro_batch_in_two_calls_whatever_its_threads(
    tmp_path: Path, pretend_cuda: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = load(write_model(tmp_path / "m.onnx", OUTPUT), device="auto", threads=8)
    sizes: list[int] = []
    run = runner.model.run

    def noted(batch: NDArray[Any], interrupt: Interrupt | None = None) -> list[NDArray[Any]]:
        sizes.append(len(batch))
        return run(batch, interrupt)

    monkeypatch.setattr(runner.model, "run", noted)
    runner.run([np.zeros((SIDE, SIDE, 3), np.uint8)] * 32)
    runner.run([np.zeros((SIDE, SIDE, 3), np.uint8)] * 3)
    runner.close()
    assert sorted(sizes) == [1, 2, 16, 16]


def test_without_the_package_onnx_floats_are_sent(
    tmp_path: Path, pretend_cuda: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_model(tmp_path / "m.onnx", OUTPUT)
    monkeypatch.setattr("vss.model_store.backends.onnx_pixels.with_pixels", lambda *_: None)
    on_gpu = load(file, device="auto", confidence=0.1)
    assert on_gpu.task.inputs(1).batch.dtype == np.float32
    on_gpu.close()
