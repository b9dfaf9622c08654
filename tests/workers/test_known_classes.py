from pathlib import Path

import pytest

from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss.cli.main import main
from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.workers.pictures.known_classes import check_classes, check_classes_of


def test_a_class_that_the_detector_does_not_know_is_refused_with_the_nearest(tmp_path: Path) -> None:
    names = {"names": "{0: 'car', 1: 'truck'}"}
    file = write_model(tmp_path / "gate.onnx", yolov8_output((32, 32, 16, 8, 1, 0.9)), metadata=names)
    settings = ModelSettings(device="cpu")
    check_classes_of(str(file), settings, ("truck", "car"))
    with pytest.raises(ConfigError, match="knows no class 'trucks'") as raised:
        check_classes_of(str(file), settings, ("car", "trucks"))
    assert raised.value.fix == "did you mean truck?"


def test_a_detector_without_labels_may_know_any() -> None:
    check_classes(("anything",), ())


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--then-classes", "car"], "--then-classes without --then"),
        (["--then", "makes.onnx", "--then-classes", "cra"], "the detector knows no class 'cra'"),
    ],
)
def test_a_worker_says_so_before_it_asks_for_a_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"names": "{0: 'car', 1: 'truck'}"}
    write_model(tmp_path / "gate.onnx", yolov8_output((32, 32, 16, 8, 1, 0.9)), metadata=names)
    with pytest.raises(SystemExit) as exited:
        main(["worker", "detect", "--model", "gate.onnx", "--bootstrap-servers", "127.0.0.1:1", *flags])
    said = capsys.readouterr().err
    assert exited.value.code == 2
    assert says in said
    assert [line[:7] for line in said.splitlines()] == ["error: ", "fix:   "]
