from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.model_store.series.tiny_series import FEATURES, HORIZON, WINDOW, spec_document, write_anomaly, write_forecast
from tests.model_store.serving.fakes import DeferredThreads
from tests.model_store.tiny_model import write_tiny_yolov8
from vss.config import ModelSettings
from vss.errors import ConfigError, InferenceFailed, InferenceTimedOut, ModelUnsupported, SmokeFailed
from vss.metrics import Metrics
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.open import open_runner
from vss.model_store.runner.runner import Runner
from vss.model_store.runner.window_runner import CPU_WINDOWS, WindowRunner
from vss.model_store.tasks.series.results import SEVERITIES, AnomalyScores, Forecasts

SETTINGS = ModelSettings(device="cpu", threads=2)


def ref_to(file: Path, task: str = "anomaly", **manifest: Any) -> ModelRef:
    return ModelRef("pump", "3", file, Manifest.model_validate({"task": task, **manifest}))


@contextmanager
def opened(file: Path, task: str = "anomaly", **others: Any) -> Iterator[WindowRunner]:
    runner = WindowRunner.load(ref_to(file, task), SETTINGS, **others)
    try:
        yield runner
    finally:
        runner.close()


def windows_of(*values: tuple[float, float]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Windows whose readings are all alike."""
    windows = np.zeros((len(values), WINDOW, len(FEATURES)), np.float32)
    windows[:] = np.array(values, np.float32)[:, None, :]
    return windows


def test_a_score_above_the_threshold_is_an_anomaly_with_its_severity_and_shares(tmp_path: Path) -> None:
    with opened(write_anomaly(tmp_path / "a.onnx")) as runner:
        scored = runner.run(windows_of((0, 0), (1, 1), (3, 0), (0, 4.5), (9, 3)))

    value = scored.value
    assert isinstance(value, AnomalyScores)
    assert (scored.name, scored.version, scored.failed) == ("pump", "3", {})
    assert value.score.tolist() == [0, 1, 1.5, 2.25, 6]
    assert value.is_anomaly.tolist() == [False, False, True, True, True]
    assert [SEVERITIES[level] for level in value.severity] == ["none", "none", "medium", "high", "critical"]
    assert value.shares.tolist() == [[0.5, 0.5], [0.5, 0.5], [1, 0], [0, 1], [0.75, 0.25]]
    assert value.confidence.tolist() == pytest.approx([0, 0.5, 0.835, 0.9624, 0.99923], abs=1e-3)
    assert value.threshold == 1.0


def test_a_forecast_has_a_row_a_step_and_its_interval(tmp_path: Path) -> None:
    with opened(write_forecast(tmp_path / "f.onnx", spread=2), "forecast") as runner:
        value = runner.run(windows_of((5, 1), (7, 2))).value

    assert isinstance(value, Forecasts)
    assert value.forecast.shape == value.lower.shape == value.upper.shape == (2, HORIZON, 2)
    # The file lists its outputs in another order than the task does.
    assert (value.lower[0, 0, 0], value.forecast[0, 0, 0], value.upper[1, 2, 1]) == (3, 5, 4)
    assert (value.horizon, value.period_ms, value.level, value.features) == (HORIZON, 1000, 0.9, FEATURES)


def test_many_windows_share_calls_and_come_back_in_order(tmp_path: Path) -> None:
    metrics = Metrics()
    count = 10 * CPU_WINDOWS + 3
    with opened(write_anomaly(tmp_path / "a.onnx"), metrics=metrics) as runner:
        value = runner.run(windows_of(*((i, i) for i in range(count)))).value

    assert isinstance(value, AnomalyScores)
    assert value.score.tolist() == list(range(count))
    sample = metrics.registry.get_sample_value
    assert sample("inference_requests_total", {"model_name": "pump", "status": "ok"}) == count
    assert sample("inference_duration_seconds_count", {"model_name": "pump"}) == 11


def test_missing_values_never_reach_the_model(tmp_path: Path) -> None:
    file = write_anomaly(tmp_path / "a.onnx", spec=spec_document(fallback=[3, 5]))
    windows = windows_of((1, 1), (1, 1))
    windows[1, :, 0] = np.nan
    windows[1, 2:, 1] = np.inf

    with opened(file) as runner:
        scored = runner.run(windows)

    assert isinstance(scored.value, AnomalyScores)
    assert scored.value.score.tolist() == [1, 2]  # the mean of feature 0, what came before of feature 1
    assert scored.imputed.tolist() == [0, 6]
    assert not scored.failed


def test_an_output_that_is_no_number_fails_its_window_alone(tmp_path: Path) -> None:
    with opened(write_anomaly(tmp_path / "a.onnx", gain=1e38)) as runner:
        scored = runner.run(windows_of((1, 1), (1e10, 1), (1, 0)))

    assert list(scored.failed) == [1]
    assert isinstance(scored.failed[1], InferenceFailed)
    assert "inf" in str(scored.failed[1])
    assert "pump" in str(scored.failed[1])
    assert isinstance(scored.value, AnomalyScores)
    assert scored.value.is_anomaly[[0, 2]].all(), "the model goes on"


def test_a_negative_score_cannot_be(tmp_path: Path) -> None:
    with opened(write_anomaly(tmp_path / "a.onnx", gain=-1)) as runner:
        assert list(runner.run(windows_of((0, 0), (1, 1))).failed) == [1]


def test_an_interval_the_wrong_way_round_cannot_be(tmp_path: Path) -> None:
    with opened(write_forecast(tmp_path / "f.onnx", spread=-1), "forecast") as runner:
        assert list(runner.run(windows_of((0, 0))).failed) == [0]


def test_a_call_that_hangs_fails_its_windows_and_no_others(tmp_path: Path) -> None:
    threads = DeferredThreads()
    with opened(write_anomaly(tmp_path / "a.onnx"), threads=threads) as runner:
        future = runner.submit(windows_of(*((i, i) for i in range(2 * CPU_WINDOWS))))
        hung = threads.waiting.popleft()
        threads.run_all()
        assert not future.done()
        hung.expire(30.0)
        scored = future.result(0)
        hung.run()  # it comes back after all

    assert sorted(scored.failed) == list(range(CPU_WINDOWS))
    assert isinstance(scored.failed[0], InferenceTimedOut)
    assert isinstance(scored.value, AnomalyScores)
    assert scored.value.score[CPU_WINDOWS:].tolist() == list(range(CPU_WINDOWS, 2 * CPU_WINDOWS))
    assert np.isnan(scored.value.score[0]), "what came too late is not looked at"


def test_windows_that_nobody_waits_for_are_not_looked_at(tmp_path: Path) -> None:
    threads = DeferredThreads()
    metrics = Metrics()
    with opened(write_anomaly(tmp_path / "a.onnx"), threads=threads, metrics=metrics) as runner:
        future = runner.submit(windows_of((1, 1)))
        assert future.cancel()
        threads.run_all()
    assert metrics.registry.get_sample_value("inference_requests_total", {"model_name": "pump", "status": "ok"}) == 0


def test_windows_are_dropped_with_the_threads(tmp_path: Path) -> None:
    threads = DeferredThreads()
    with opened(write_anomaly(tmp_path / "a.onnx"), threads=threads) as runner:
        future = runner.submit(windows_of(*((i, i) for i in range(100))))
        threads.close()
        with pytest.raises(CancelledError):
            future.result(0)


def test_windows_for_a_model_that_is_closed_are_dropped(tmp_path: Path) -> None:
    with opened(write_anomaly(tmp_path / "a.onnx")) as runner:
        runner.close()
        waited = threading.Event()
        future = runner.submit(windows_of((1, 1)))
        future.add_done_callback(lambda _: waited.set())
        assert waited.wait(5)
        assert future.cancelled()


@pytest.mark.parametrize("shape", [(1, WINDOW, 3), (1, WINDOW + 1, 2), (0, WINDOW, 2), (WINDOW, 2)])
def test_windows_of_another_shape_are_a_mistake_of_the_caller(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with opened(write_anomaly(tmp_path / "a.onnx")) as runner, pytest.raises(ValueError, match="takes windows of"):
        runner.submit(np.zeros(shape, np.float32))


def test_a_model_that_divides_by_what_does_not_change_is_not_served(tmp_path: Path) -> None:
    with opened(write_anomaly(tmp_path / "a.onnx", divide=True)) as runner:
        runner.warm()
        with pytest.raises(SmokeFailed, match=r"version 3 of pump fails on a window of zeros: .*nan"):
            runner.prove()


def test_what_is_sound_is_proven(tmp_path: Path) -> None:
    for task, write in (("anomaly", write_anomaly), ("forecast", write_forecast)):
        with opened(write(tmp_path / "m.onnx"), task) as runner:
            runner.warm()
            runner.prove()


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"spec": {}}, "has no metadata vss.series"),
        ({"shape": ["n", WINDOW, 3]}, r"is \(n, 4, 3\), but it says window 4 and 2 features"),
        ({"shape": ["n", 5, 2]}, r"\(n, 5, 2\), but it says window 4"),
        ({"shape": [1, WINDOW, 2]}, "it takes 1 windows at once"),
        ({"outputs": ("scores", "feature_scores")}, "has no output score, but scores, feature_scores"),
        ({"row": False}, r"output score of pump has shape \(1, 1\) instead of \(1,\)"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_one_line(tmp_path: Path, written: dict[str, Any], says: str) -> None:
    file = write_anomaly(tmp_path / "a.onnx", **written)

    with pytest.raises(ModelUnsupported, match=says) as raised:
        open_runner(ref_to(file), SETTINGS)
    assert raised.value.fix
    assert "\n" not in str(raised.value)


def test_a_model_is_for_pictures_or_for_windows(tmp_path: Path) -> None:
    series, pictures = write_anomaly(tmp_path / "a.onnx"), write_tiny_yolov8(tmp_path / "p.onnx")

    with pytest.raises(ModelUnsupported, match="is for anomaly: it looks at readings of sensors, not at pictures") as a:
        Runner.load(ref_to(series), SETTINGS)
    assert "vss worker anomaly" in a.value.fix
    with pytest.raises(ModelUnsupported, match="looks at pictures"):
        WindowRunner.load(ref_to(pictures, "detection"), SETTINGS)
    with pytest.raises(ModelUnsupported, match=r"vss\.series"):
        open_runner(ref_to(pictures), SETTINGS)
    with pytest.raises(ModelUnsupported, match="no output forecast, lower, upper"):
        open_runner(ref_to(write_anomaly(tmp_path / "h.onnx", spec=spec_document(horizon=3)), "forecast"), SETTINGS)


def test_features_of_a_layer_are_for_pictures(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"features": "pooled"})
    with pytest.raises(ConfigError, match="pictures"):
        open_runner(ref_to(write_anomaly(tmp_path / "a.onnx")), settings)


@pytest.mark.parametrize(
    ("costs", "piece"), [({1: 9, 32: 4, 128: 2, 512: 1}, 512), ({1: 9, 32: 1, 128: 1, 512: 2}, 32)]
)
def test_warming_up_finds_the_size_of_call_that_costs_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, costs: dict[int, int], piece: int
) -> None:
    with opened(write_anomaly(tmp_path / "a.onnx")) as runner:
        monkeypatch.setattr(runner, "_cpu_s", lambda size: costs[size] * 1e-6)
        runner.warm()

        assert runner.piece == piece


def test_a_model_whose_calls_are_long_is_not_tried_with_longer_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def takes_long(size: int) -> float:
        tried.append(size)
        return 0.01

    with opened(write_anomaly(tmp_path / "a.onnx")) as runner:
        monkeypatch.setattr(runner, "_cpu_s", takes_long)
        runner.warm()

    assert tried == [1, CPU_WINDOWS]
