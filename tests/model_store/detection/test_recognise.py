import pytest

from vss.errors import ModelUnsupported
from vss.model_store.tasks.detection.recognise import recognise_head
from vss.model_store.tasks.metadata import labels_in


@pytest.mark.parametrize(
    ("shape", "input_wh", "head"),
    [
        ((1, 84, 8400), (640, 640), "yolov8"),
        ((1, 5, 8400), (640, 640), "yolov8"),
        ((1, 84, 33600), (1280, 1280), "yolov8"),
        ((1, 25200, 85), (640, 640), "yolov5"),
        ((1, 25200, 6), (640, 640), "yolov5"),
        ((1, 102000, 85), (1280, 1280), "yolov5"),
        ((1, 3549, 85), (416, 416), "yolox"),
        ((1, 8400, 6), (640, 640), "yolox"),
        ((1, 300, 6), (640, 640), "end_to_end"),
        ((1, 84, 5040), (640, 384), "yolov8"),
        ((1, 8, 960), (320, 192), "yolov8"),
        ((1, 84, 34000), (640, 640), "yolov8"),
        ((1, 252, 85), (64, 64), "yolov5"),
    ],
)
def test_a_head_is_told_by_the_shape_of_the_output(
    shape: tuple[int, ...], input_wh: tuple[int, int], head: str
) -> None:
    assert recognise_head([shape], input_wh, {}) == head


@pytest.mark.parametrize("metadata", [{"end2end": "True"}, {"args": "{'batch': 1, 'nms': True}"}])
def test_metadata_decides_where_shapes_cannot(metadata: dict[str, str]) -> None:
    assert recognise_head([(1, 8400, 6)], (640, 640), metadata) == "end_to_end"


@pytest.mark.parametrize("shapes", [[(1, 1000)], [(1, 84, 8400), (1, 32, 160, 160)], [(1, 77, 99)], []])
def test_what_is_no_detector_is_refused_with_its_shapes(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ModelUnsupported, match="none of a detector we know") as raised:
        recognise_head(shapes, (640, 640), {})
    assert "model.yaml" in raised.value.fix


def test_a_model_for_another_task_is_refused_by_its_metadata() -> None:
    with pytest.raises(ModelUnsupported, match="'pose'"):
        recognise_head([(1, 56, 8400)], (640, 640), {"task": "pose"})


@pytest.mark.parametrize(
    "names", ["{0: 'person', 1: 'it\\'s'}", '["person", "it\'s"]', '{"0": "person", "1": "it\'s"}']
)
def test_class_names_are_read_as_python_or_json(names: str) -> None:
    assert labels_in({"names": names}) == ("person", "it's")


@pytest.mark.parametrize(
    "names", ["", "{0: 'a', 2: 'b'}", "{'x': 'a'}", "__import__('os')", "{", "7", "[" * 20_000, "{None: 'a'}"]
)
def test_class_names_that_cannot_be_read_are_none(names: str) -> None:
    assert labels_in({"names": names}) is None
