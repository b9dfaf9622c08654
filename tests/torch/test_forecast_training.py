from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-torch")
pytest.importorskip("matplotlib", reason="needs the extra train: make test-torch")

from tests.training.forecast.readings import data_of, waves
from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.resolve import resolve_model
from vss.model_store.runner.window_runner import WindowRunner
from vss.model_store.tasks.series.results import Forecasts
from vss.training.forecast import ridge
from vss.training.forecast.networks import normalised
from vss.training.forecast.networks.lstm import SegmentLstm
from vss.training.forecast.networks.segments import joined, segmented
from vss.training.forecast.networks.transformer import SegmentTransformer
from vss.training.forecast.settings import ARCHITECTURES, ForecastSettings
from vss.training.forecast.train import Made, train_forecast, training_record
from vss.training.forecast.version import train_version
from vss.training.series_file import run_file

QUICK = ForecastSettings(epochs=3, device="cpu", threads=1)
CREATED = "2026-01-01T00:00:00Z"


def made_of(folder: Path, settings: ForecastSettings, **changes: Any) -> Made:
    rows = changes.pop("rows", 900)
    folder.mkdir(parents=True, exist_ok=True)
    return train_forecast(
        data_of(waves(rows)), dataclasses.replace(settings, **changes), folder, created=CREATED, clock=time.monotonic
    )


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_file_says_what_the_network_does(tmp_path: Path, arch: str) -> None:
    made = made_of(tmp_path, QUICK, arch=arch, epochs=1)
    assert made.difference < 1e-4
    rng = np.random.default_rng(0)
    for count in (1, 5):
        windows = rng.normal(60, 5, (count, 24, 2)).astype(np.float32)
        found = run_file(made.file, windows)
        assert {name: values.shape for name, values in found.items()} == dict.fromkeys(
            ("forecast", "lower", "upper"), (count, 6, 2)
        )
        standardised = torch.from_numpy((windows - made.parts.scaling.mean) / made.parts.scaling.deviation)
        with torch.no_grad():
            expected = made.chosen.network(standardised.float()).numpy()
        expected = expected * made.parts.scaling.deviation + made.parts.scaling.mean
        assert np.allclose(found["forecast"], expected, atol=1e-4, rtol=1e-4)
        assert (found["lower"] < found["forecast"]).all()
        assert (found["forecast"] < found["upper"]).all()


def test_a_window_that_stands_still_has_a_forecast(tmp_path: Path) -> None:
    made = made_of(tmp_path, QUICK, arch="lstm", epochs=1)
    found = run_file(made.file, np.full((1, 24, 2), 60, np.float32))
    assert all(np.isfinite(values).all() for values in found.values())
    assert np.abs(found["forecast"] - 60).max() < 1


def test_the_same_seed_gives_the_same_file_and_another_another(tmp_path: Path) -> None:
    first, same, other = (
        made_of(tmp_path / name, QUICK, seed=seed, arch="auto") for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first.metrics == same.metrics
    assert first.file.read_bytes() == same.file.read_bytes()
    assert [one.error for one in first.candidates[1:]] != [one.error for one in other.candidates[1:]]


def test_auto_takes_what_does_best_on_validation(tmp_path: Path) -> None:
    made = made_of(tmp_path, QUICK, arch="auto")
    assert [one.name for one in made.candidates] == list(ARCHITECTURES)
    assert made.chosen.error <= min(one.error for one in made.candidates)
    assert set(made.chosen.name.split("+")) <= set(ARCHITECTURES)
    assert made.test.mse < 0.5 * made.test.naive_mse


def test_intervals_hold_what_they_promise(tmp_path: Path) -> None:
    made = made_of(tmp_path, QUICK, arch="dlinear", rows=12_000)
    assert 0.88 < made.test.coverage < 0.92
    assert min(made.test.coverage_by_step) > 0.86
    narrow = made_of(tmp_path / "narrow", QUICK, arch="dlinear", rows=12_000, level=0.5)
    assert 0.46 < narrow.test.coverage < 0.54
    assert narrow.test.width < made.test.width


def test_training_stops_when_validation_gets_no_better_or_time_is_up(tmp_path: Path) -> None:
    epochs: list[tuple[str, int]] = []
    ticks = iter(range(10**6))
    settings = dataclasses.replace(QUICK, arch="lstm", epochs=50, patience=2, budget_s=None)
    data = data_of(np.random.default_rng(0).normal(0, 1, (900, 1)))
    (tmp_path / "a").mkdir()
    made = train_forecast(data, settings, tmp_path / "a", created=CREATED, clock=time.monotonic)
    curves = made.candidates[0].curves
    assert len(curves.training) == curves.best_epoch + 1 + 2 < 50
    (tmp_path / "b").mkdir()
    train_forecast(
        data,
        dataclasses.replace(settings, patience=50, budget_s=6.5),
        tmp_path / "b",
        created=CREATED,
        clock=lambda: float(next(ticks)),
        on_epoch=lambda name, epoch, *_losses: epochs.append((name, epoch)),
    )
    assert 1 <= len(epochs) < 8


def test_a_version_is_added_with_its_training_beside_it_and_serves_windows(tmp_path: Path) -> None:
    store = ModelSettings(store=str(tmp_path / "models"))
    data = data_of(waves(900))
    settings = dataclasses.replace(QUICK, arch="dlinear", horizon=4)
    made, ref = train_version(data, settings, "pump", store, created=CREATED, clock=time.monotonic)
    assert (ref.name, ref.version) == ("pump", "1")
    record = json.loads((ref.file.parent / "training.json").read_bytes())
    assert record == json.loads(json.dumps(training_record(data, settings, made)))
    assert record["data"]["sha256"] == data.sha256
    assert (ref.file.parent / "training.png").read_bytes().startswith(b"\x89PNG")
    runner = WindowRunner.load(resolve_model("pump", store), store)
    try:
        inputs, _, _ = made.parts.test.take(np.arange(3))
        windows = (inputs * made.parts.scaling.deviation + made.parts.scaling.mean).astype(np.float32)
        windows[1, 5, 0] = np.nan
        scored = runner.run(windows)
        assert isinstance(scored.value, Forecasts)
        assert scored.value.forecast.shape == (3, 4, 2)
        assert np.abs(scored.value.forecast - windows[:, -1:]).max() < 3
        assert scored.imputed.tolist() == [0, 1, 0]
    finally:
        runner.close()
    assert train_version(data, settings, "pump", store, created=CREATED, clock=time.monotonic)[1].version == "2"


@pytest.mark.parametrize("lookback", [1, 5, 24, 29, 336])
def test_segments_keep_every_value_of_every_feature(lookback: int) -> None:
    windows = torch.arange(2 * lookback * 3, dtype=torch.float32).reshape(2, lookback, 3)
    cut = segmented(windows)
    flat = cut.reshape(2, 3, -1)[..., -lookback:]
    assert (flat.transpose(1, 2) == windows).all()
    assert (joined(flat.reshape(6, lookback), 3) == windows).all()


@pytest.mark.parametrize("network", [SegmentLstm, SegmentTransformer])
def test_a_feature_says_nothing_of_another(network: Any) -> None:
    torch.manual_seed(0)
    one = network(24, 6, 3).eval()
    windows = torch.randn(2, 24, 3)
    changed = windows.clone()
    changed[..., 1] += 1
    with torch.no_grad():
        before, after = one(windows), one(changed)
    assert (before[..., [0, 2]] == after[..., [0, 2]]).all()
    assert not torch.allclose(before[..., 1], after[..., 1])


def test_a_drift_of_level_and_scale_moves_the_forecast_along() -> None:
    torch.manual_seed(0)
    network = normalised.InstanceNormalised(SegmentLstm(24, 6, 1)).eval()
    windows = torch.randn(4, 24, 1)
    with torch.no_grad():
        assert torch.allclose(network(windows * 10 + 500), network(windows) * 10 + 500, atol=1e-2)


def test_the_line_and_the_networks_normalise_alike() -> None:
    assert normalised.EPSILON == ridge.EPSILON
    windows = np.random.default_rng(0).normal(3, 2, (4, 30, 2)).astype(np.float32)
    ours = normalised.spread_of(torch.from_numpy(windows)).numpy()
    assert np.allclose(ridge.normalised(windows)[2][:, 0], ours, rtol=1e-5)


def test_a_device_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(ConfigError, match="CUDA"):
        made_of(tmp_path, QUICK, device="cuda")
