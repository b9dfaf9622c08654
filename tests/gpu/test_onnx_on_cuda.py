"""ONNX models on a real GPU say what they say on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.gpu.device import needs_gpu
from tests.model_store.classification.tiny_classifier import write_classifier
from tests.model_store.detection.tiny_models import SIDE, load, write_model, yolov8_output
from vss.bench.any_batch import with_any_batch
from vss.bench.networks import make_network
from vss.codecs.images import Image
from vss.config import ModelSettings
from vss.errors import ModelTooLarge
from vss.model_store.backends.device_memory import open_cuda_memory
from vss.model_store.backends.onnx import OnnxModel
from vss.model_store.evaluation.matching import agree
from vss.model_store.resolve import resolve_file
from vss.model_store.runner.runner import Runner
from vss.testing import make_image

pytestmark = needs_gpu

RNG = np.random.default_rng(7)
OUTPUT = yolov8_output((32, 32, 16, 8, 1, 0.5))
# float32 on the device is the CPU's but for the order of sums; TF32 has ten bits of mantissa.
STRICT: dict[str, Any] = {"device": "cuda", "precision": "fp32"}
TOLERANCES = {"fp32": 2e-3, "auto": 5e-2}


def pictures(count: int, side: int = SIDE) -> NDArray[np.float32]:
    return RNG.random((count, 3, side, side), np.float32)


def assert_close(one: list[Any], other: list[Any], tolerance: float = 1e-3) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_model(tmp_path / "m.onnx", OUTPUT, brightness=np.ones_like(OUTPUT), outputs=2)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of some size."""
    return make_network("resnet18", tmp_path_factory.mktemp("network")).file


@pytest.fixture
def images(shared_data: Path) -> list[Image]:
    import cv2

    photos = sorted((shared_data / "coco128" / "images").glob("*.jpg"))[:16]
    return [np.asarray(cv2.imread(str(path)), np.uint8) for path in photos]


@pytest.fixture
def models() -> Iterator[list[OnnxModel]]:
    """Closed at the end, whatever happens."""
    made: list[OnnxModel] = []
    yield made
    for model in made:
        model.close()


@pytest.mark.parametrize("precision", TOLERANCES)
def test_a_classifier_answers_as_on_the_cpu(network: Path, models: list[OnnxModel], precision: str) -> None:
    settings = ModelSettings.model_validate({"device": "cuda", "precision": precision})
    models += [OnnxModel(network, settings), OnnxModel(network, device="cpu")]
    on_gpu, on_cpu = models
    assert on_gpu.providers[0] == "CUDAExecutionProvider"
    for count in (1, 3, 32, 40):
        batch = pictures(count, 224)
        expected = on_cpu.run(batch)[0]
        found = on_gpu.run(batch)[0]
        assert np.abs(found - expected).max() <= TOLERANCES[precision] * np.abs(expected).max()


@pytest.mark.parametrize("name", ["yolox_nano", "yolov8n"])
def test_a_detector_finds_the_same_from_bytes_that_it_scales_itself(
    shared_data: Path, images: list[Image], tmp_path: Path, name: str
) -> None:
    ref = with_any_batch(resolve_file(shared_data / "models" / f"{name}.onnx"), tmp_path)
    on_cpu, on_gpu = load(ref.file, device="cpu", confidence=0.3), load(ref.file, confidence=0.3, **STRICT)
    assert on_gpu.task.inputs(1).batch.dtype == np.uint8
    expected = {str(i): answer.value for i, answer in enumerate(on_cpu.run(images))}
    found = {str(i): answer.value for i, answer in enumerate(on_gpu.run(images))}
    on_cpu.close()
    on_gpu.close()
    agreement = agree(expected, found, iou=0.95, confidence=0.02)
    assert agreement.reference > 10
    assert agreement.matched_share >= 0.98
    assert agreement.extra_share <= 0.02


def test_a_colour_is_the_same_colour(tmp_path: Path) -> None:
    runner = Runner.load(resolve_file(classifier(tmp_path)), ModelSettings(device="cuda"))
    blue = np.zeros((40, 40, 3), np.uint8)
    blue[..., 0] = 255
    assert runner.run([blue])[0].value[0].class_ == "blue"
    runner.close()


def classifier(folder: Path) -> Path:
    (folder / "m.yaml").write_text("task: classification\ninput: {mean: [0, 0, 0], std: [1, 1, 1]}\n")
    return write_classifier(folder / "m.onnx")


def test_a_replayed_graph_says_what_the_model_says(network: Path, models: list[OnnxModel]) -> None:
    models += [OnnxModel(network, ModelSettings(cuda_graphs=True, **STRICT)), OnnxModel(network, device="cpu")]
    replayed, plain = models
    replayed.run(pictures(1, 224))
    assert replayed.uses_graphs, "a residual network can be captured"
    for count in (1, 2, 4, 7, 16, 32):
        batch = pictures(count, 224)
        expected = plain.run(batch)
        assert_close(replayed.run(batch), expected, 2e-3 * float(np.abs(expected[0]).max()))


@pytest.mark.parametrize("graphs", [False, True])
def test_several_threads_get_each_its_own_answer(file: Path, models: list[OnnxModel], graphs: bool) -> None:
    models += [OnnxModel(file, ModelSettings(cuda_graphs=graphs, **STRICT)), OnnxModel(file, device="cpu")]
    on_gpu, on_cpu = models
    batches = [pictures(1 + i % 33) for i in range(120)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(on_gpu.run, batches))
    for batch, answer in zip(batches, answers, strict=True):
        assert_close(answer, on_cpu.run(batch))


def test_a_model_serves_while_another_one_is_loaded_and_captured(
    file: Path, network: Path, models: list[OnnxModel]
) -> None:
    serving = OnnxModel(file, ModelSettings(cuda_graphs=True, **STRICT))
    models.append(serving)
    batch = pictures(5)
    expected = serving.run(batch)
    stop, failures, calls = threading.Event(), list[BaseException](), [0]

    def serve() -> None:
        while not stop.is_set():
            try:
                assert_close(serving.run(batch), expected)
                calls[0] += 1
            except BaseException as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        other = OnnxModel(network, ModelSettings(cuda_graphs=True, **STRICT))
        models.append(other)
        other.run(pictures(1, 224))
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert failures == []
    assert calls[0] > 0
    assert other.uses_graphs


def test_memory_is_pinned_and_comes_back(network: Path) -> None:
    memory = open_cuda_memory()
    assert memory is not None
    room = np.zeros(1 << 22, np.uint8)
    assert memory.pin(room)
    memory.unpin(room.ctypes.data)
    warm = OnnxModel(network, device="cuda")  # CUDA's own context stays
    warm.run(pictures(32, 224))
    warm.close()
    before = memory.free_bytes()
    model = OnnxModel(network, device="cuda")
    model.run(pictures(32, 224))
    held = before - memory.free_bytes()
    assert held > network.stat().st_size
    assert model.resident_bytes > network.stat().st_size
    model.close()
    assert before - memory.free_bytes() < held / 2


def test_a_model_that_may_hold_too_little_is_too_large(network: Path, models: list[OnnxModel]) -> None:
    with pytest.raises(ModelTooLarge):
        models.append(OnnxModel(network, ModelSettings(device="cuda", max_accelerator_bytes=1 << 20)))


def test_auto_takes_the_gpu(file: Path, models: list[OnnxModel]) -> None:
    models.append(OnnxModel(file))
    assert not models[0].on_cpu


def test_a_picture_of_a_made_up_scene_has_the_same_boxes_in_every_batch(shared_data: Path, tmp_path: Path) -> None:
    ref = with_any_batch(resolve_file(shared_data / "models" / "yolox_nano.onnx"), tmp_path)
    runner = load(ref.file, confidence=0.05, **STRICT)
    scene = make_image(640, 480)
    alone = runner.run([scene])[0].value
    for count in (2, 5, 32):
        for answer in runner.run([scene] * count):
            assert agree({"a": alone}, {"a": answer.value}, iou=0.95, confidence=0.02).matched_share == 1.0
    runner.close()
