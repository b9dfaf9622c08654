from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.infer.media import read_clip, write_clip, write_image
from tests.model_store.tiny_model import write_tiny_yolov8


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_yolov8(tmp_path / "tiny.onnx")


@pytest.mark.parametrize("any_batch", [True, False])
def test_json_lines_say_what_is_in_each_picture_in_order(vss: Any, tmp_path: Path, any_batch: bool) -> None:
    model = write_tiny_yolov8(tmp_path / "tiny.onnx", any_batch=any_batch)
    for index, level in enumerate([0, 204, 255]):
        write_image(tmp_path / "in" / f"{index}.png", level, 64, 64)
    write_clip(tmp_path / "in" / "clip.mp4", [255 if frame % 2 else 20 for frame in range(21)], width=64, height=64)

    ran = vss("infer", model, "in", "--json")

    assert ran.code == 0
    assert [(line["source"], line["frame"]) for line in ran.lines] == [
        ("in/0.png", 0), ("in/1.png", 0), ("in/2.png", 0), *(("in/clip.mp4", frame) for frame in range(21)),
    ]  # fmt: skip
    assert [len(line["objects"]) for line in ran.lines] == [0, 1, 1, *(frame % 2 for frame in range(21))]
    assert set(ran.lines[0]) == {"source", "frame", "objects"}
    (thing,) = ran.lines[1]["objects"]
    assert set(thing) == {"class", "class_id", "confidence", "bbox", "center"}
    assert (thing["class"], thing["class_id"]) == ("bright", 0)
    assert thing["confidence"] == pytest.approx(0.8, abs=0.01)
    assert thing["bbox"] == pytest.approx([16, 24, 48, 40])
    assert thing["center"] == pytest.approx([32, 32])


def test_flags_say_what_is_reported(vss: Any, tmp_path: Path, model: Path) -> None:
    write_image(tmp_path / "a.png", 77, 64, 64)  # 0.3

    def count(*flags: str) -> int:
        ran = vss("infer", model, "a.png", "--json", *flags)
        assert ran.code == 0
        return len(ran.lines[0]["objects"])

    assert count() == 0
    assert count("--conf", "0.25") == 1
    assert count("--conf", "0.25", "--classes", "never") == 0
    assert count("--conf", "0.25", "--classes", "never, bright") == 1
    (tmp_path / "tiny.yaml").write_text("thresholds: {confidence: 0.2}")
    assert count() == 1


def test_every_takes_each_nth_frame(vss: Any, tmp_path: Path, model: Path) -> None:
    write_clip(tmp_path / "clip.mp4", [255] * 10, width=64, height=64)

    assert [line["frame"] for line in vss("infer", model, "clip.mp4", "--json", "--every", "4").lines] == [0, 4, 8]


def test_a_person_gets_a_line_for_each_image_and_each_video_and_a_summary(
    vss: Any, tmp_path: Path, model: Path
) -> None:
    write_image(tmp_path / "a.png", 255, 64, 64)
    write_image(tmp_path / "b.png", 0, 64, 64)
    write_clip(tmp_path / "clip.mp4", [255] * 10, width=64, height=64)

    ran = vss("infer", model, "a.png", "clip.mp4", "b.png")

    assert ran.out.splitlines() == ["a.png: 1 bright", "clip.mp4: 10 frames, 10 bright", "b.png: nothing"]
    assert ran.err.startswith("12 pictures in ")


def test_annotated_copies_are_saved(vss: Any, tmp_path: Path, model: Path) -> None:
    write_image(tmp_path / "in" / "a.png", 255, 64, 64)
    write_clip(tmp_path / "in" / "clip.mp4", [255] * 10, width=64, height=64)

    for _ in range(2):  # the second time the results lie among the inputs, and are none
        assert vss("infer", model, "in", "--save", "in/out", "--every", "2").code == 0

    assert sorted(path.name for path in (tmp_path / "in" / "out").iterdir()) == ["a.png", "clip.mp4"]
    frames = read_clip(tmp_path / "in" / "out" / "clip.mp4")
    assert [round(time_s, 2) for time_s, _ in frames] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert all(image.std() > 10 for _, image in frames), "nothing was drawn"


def test_a_model_of_the_store_is_run_by_its_name(vss: Any, tmp_path: Path, model: Path) -> None:
    write_image(tmp_path / "a.png", 255, 64, 64)
    assert vss("models", "add", model, "--name", "gate", "--store", "shelf").code == 0

    assert vss("infer", "gate@1", "a.png", "--store", "shelf").out == "a.png: 1 bright\n"


def test_a_corrupt_image_among_many_is_reported_and_the_others_go_on(vss: Any, tmp_path: Path, model: Path) -> None:
    for name in ("a.jpg", "c.jpg"):
        write_image(tmp_path / name, 255, 640, 480)
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-100])

    ran = vss("infer", model, "a.jpg", "b.jpg", "c.jpg", "--json", "--save", "out")

    assert ran.code == 1
    assert [line["source"] for line in ran.lines] == ["a.jpg", "c.jpg"]
    assert ran.err.count("error: ") == 1
    assert "b.jpg" in ran.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "c.jpg"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("none.onnx", "a.png"), "no such model file: none.onnx"),
        (("gate", "a.png"), "no model 'gate'"),
        (("a.png", "a.png"), "no model"),
        (("tiny.onnx", "none.png"), "no such file or folder: none.png"),
        (("tiny.onnx", "empty"), "no images or videos in empty"),
        (("tiny.onnx", "a.png", "--save", "."), "a.png is an input and would be overwritten"),
        (("tiny.onnx", "a.png", "--save", "/proc/none"), "cannot be written"),
        (("tiny.onnx", "a.png", "--conf", "2"), "model.confidence"),
        (("tiny.onnx", "a.png", "--device", "abacus"), "model.device"),
        (("tiny.onnx", "a.png", "--classes", "cat"), "cat"),
        (("tiny.onnx", "a.png", "--every", "0"), "--every"),
        (("tiny.onnx",), "INPUT"),
        (("broken.onnx", "a.png"), "broken.onnx is no ONNX model"),
    ],
)
def test_bad_input_is_one_line_with_the_fix(
    vss: Any, tmp_path: Path, model: Path, arguments: tuple[str, ...], says: str
) -> None:
    write_image(tmp_path / "a.png", 255, 64, 64)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.onnx").write_bytes(b"no model")

    ran = vss("infer", *arguments)

    assert ran.code == 2
    assert ran.out == ""
    assert says in ran.err
    assert [line[:7] for line in ran.err.splitlines()] == ["error: ", "fix:   "]


def test_a_video_that_does_not_open_is_one_line_with_the_fix(vss: Any, tmp_path: Path, model: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video" * 100)

    ran = vss("infer", model, "clip.mp4", "--json")

    assert ran.code == 1
    assert ran.out == ""
    assert [line[:7] for line in ran.err.splitlines()] == ["error: ", "fix:   "]
    assert "clip.mp4" in ran.err


def test_what_is_found_in_the_shared_videos_equals_the_reference(vss: Any, shared_data: Path) -> None:
    expected = json.loads((shared_data / "expected" / "yolov8n_video.json").read_text())
    videos = sorted({name.partition("#")[0] for name in expected["detections"]})
    ran = vss(
        "infer", shared_data / "models" / "yolov8n.onnx", *(shared_data / "video" / name for name in videos),
        "--json", "--every", "25", "--conf", expected["conf"], "--iou", expected["iou"],
    )  # fmt: skip
    assert ran.code == 0
    found = {f"{Path(line['source']).name}#{line['frame']}": line["objects"] for line in ran.lines}

    wanted_boxes = matched = extra = 0
    for name, wanted in expected["detections"].items():
        left = list(found[name])
        for box in wanted:
            wanted_boxes += 1
            same = next((other for other in left if agree(box, other)), None)
            if same is not None:
                left.remove(same)
                matched += 1
        extra += len(left)

    assert wanted_boxes > 50
    assert matched >= 0.99 * wanted_boxes
    assert extra <= 0.01 * wanted_boxes


def agree(one: dict[str, Any], other: dict[str, Any]) -> bool:
    close = abs(one["confidence"] - other["confidence"]) <= 0.01
    return close and one["class"] == other["class"] and overlap(one["bbox"], other["bbox"]) >= 0.99


def overlap(one: list[float], other: list[float]) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)
