"""The detector that learns nothing: its two forms agree, and it says what it promises."""

from pathlib import Path

import numpy as np
import pytest

from vss.training.anomaly.streaming import THRESHOLD, quiet_of, streaming_scores, write_streaming
from vss.training.data.split import rolling
from vss.training.protocols.nab import evaluate_nab, read_series, streaming_detector
from vss.training.protocols.nab_score import STANDARD
from vss.training.series_file import run_file

WINDOW = 400


def daily(rows: int, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A wave of 48 readings a day with noise."""
    noise = np.random.default_rng(seed).standard_normal(rows)
    return 50 + 20 * np.sin(2 * np.pi * np.arange(rows) / 48) + noise


def test_the_file_scores_as_the_arithmetic_does(tmp_path: Path) -> None:
    values = daily(700)
    values[560] += 60
    values[600:620] = values[600]
    file = tmp_path / "streaming.onnx"
    write_streaming(file, WINDOW, 1)
    served = run_file(file, rolling(values.astype(np.float32)[:, None], WINDOW))
    expected = streaming_scores(values, WINDOW)[WINDOW - 1 :]
    assert expected.max() > 2
    np.testing.assert_allclose(served["score"], expected, rtol=1e-3, atol=1e-3)
    assert file.stat().st_size < 100_000


def test_each_feature_is_looked_at_by_itself(tmp_path: Path) -> None:
    values = np.stack([daily(WINDOW, seed) for seed in range(3)], axis=1)
    values[-1, 1] += 60
    file = tmp_path / "streaming.onnx"
    write_streaming(file, WINDOW, 3)
    found = run_file(file, values[None].astype(np.float32))
    alone = [streaming_scores(values[:, place], WINDOW)[-1] for place in range(3)]
    np.testing.assert_allclose(found["feature_scores"][0], alone, rtol=1e-3, atol=1e-3)
    assert found["score"][0] == found["feature_scores"][0].max()
    assert int(found["feature_scores"][0].argmax()) == 1


def test_a_wave_that_breaks_its_rhythm_is_found() -> None:
    values = daily(1200)
    values[900:930] = values[900:930].mean()
    scores = streaming_scores(values, WINDOW)
    alarms = np.flatnonzero(scores > THRESHOLD)
    assert any(900 <= place < 940 for place in alarms)


def test_an_anomaly_that_goes_on_is_one_alarm() -> None:
    values = daily(1200)
    values[900:1000] += 60
    alarms = np.flatnonzero(streaming_scores(values, WINDOW) > THRESHOLD)
    first = int(alarms[alarms >= 900][0])
    assert first < 903
    assert not any(first < place <= first + quiet_of(WINDOW) for place in alarms)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_the_unit_and_the_zero_of_a_sensor_do_not_matter(scale: float) -> None:
    values = daily(600)
    values[500] += 60
    expected = streaming_scores(values, WINDOW)
    np.testing.assert_allclose(streaming_scores(scale * (values - 1e3), WINDOW), expected, rtol=1e-6, atol=1e-6)


def test_a_flat_line_alarms_only_when_it_ends(tmp_path: Path) -> None:
    values = np.full(600, 21.5)
    assert streaming_scores(values, WINDOW).max() == 0
    values[-1] = 22.0
    assert streaming_scores(values, WINDOW)[-1] > 100
    file = tmp_path / "streaming.onnx"
    write_streaming(file, WINDOW, 1)
    windows = np.stack([values[:WINDOW], values[-WINDOW:]])[:, :, None].astype(np.float32)
    served = run_file(file, windows)["score"]
    assert served[0] == 0
    assert served[1] > 100


def test_nothing_is_said_before_a_whole_window() -> None:
    values = daily(WINDOW)
    values[200] += 100
    assert not streaming_scores(values, WINDOW)[:-1].any()
    assert not streaming_scores(values[:-1], WINDOW).any()


def test_the_series_of_the_benchmark_score_above_what_was_asked(shared_data: Path, tmp_path: Path) -> None:
    series = read_series(shared_data / "telemetry" / "nab")
    assert [len(one.windows) for one in series] == [0, 1, 2, 2, 4]
    result = evaluate_nab(series, streaming_detector(2000, tmp_path), THRESHOLD, STANDARD)
    assert result.best.windows == 9
    assert result.best.score >= 58
    assert result.fixed.score >= 58  # with the threshold that no label has seen
