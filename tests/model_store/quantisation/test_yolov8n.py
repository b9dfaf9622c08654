"""The promise on a model that people use."""

from pathlib import Path

import pytest

from tests.model_store.quantisation.test_quantise import Log
from vss.config import Settings
from vss.model_store.quantisation.quantise import quantise_model
from vss.model_store.resolve import resolve_file
from vss.workers.offline.calibration import read_samples


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_detector_in_8_bits_is_a_third_faster_and_finds_nearly_as_much(shared_data: Path, tmp_path: Path) -> None:
    settings = Settings()
    samples = read_samples(str(shared_data / "coco128"), settings, at_most=40)
    assert sum(len(sample.truth or ()) for sample in samples) > 200
    ref = resolve_file(shared_data / "models" / "yolov8n.onnx")
    # Forty pictures tell mean average precision to two points or so; docs/quantisation.md has the figures of all 128.
    report = quantise_model(ref, settings.model, samples, tmp_path, max_loss=2.0, seed=0, watcher=Log())
    assert report.measure == "mAP50-95"
    assert report.original.all > 40
    assert report.best().speed.ratio > 1.2
    yardstick, *others = report.candidates
    assert min(one.lost for one in others) < yardstick.lost
