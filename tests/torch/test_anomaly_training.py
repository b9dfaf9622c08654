import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-torch")
pytest.importorskip("skl2onnx", reason="needs the extra train: make test-torch")

import onnx
from click.testing import CliRunner, Result

from vss.cli.evaluate.anomaly import anomaly as evaluate
from vss.cli.train.anomaly import anomaly as train
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelUnsupported, VssError
from vss.model_store.manifest import Manifest
from vss.model_store.store import ModelStore
from vss.model_store.tasks.series.spec import read_series_spec
from vss.training.anomaly.detector import Architecture, Detector, DetectorSettings
from vss.training.anomaly.graph import PARTS, SCORE
from vss.training.anomaly.networks import Autoencoder, Statistics
from vss.training.anomaly.normal import Normal
from vss.training.anomaly.train import train_detector
from vss.training.data.series import SensorSeries, TrainingData
from vss.training.data.split import rolling
from vss.training.series_file import check_same, run_file

WINDOW = 24
CREATED = "2026-03-01T00:00:00Z"


def pump(rows: int = 400, seed: int = 0) -> TrainingData:
    """A wave, noise that follows it, and noise of its own."""
    rng = np.random.default_rng(seed)
    wave = np.sin(2 * np.pi * np.arange(rows) / 20)
    values = np.stack(
        [
            5 + wave + 0.1 * rng.standard_normal(rows),
            100 - 20 * wave + rng.standard_normal(rows),
            rng.normal(0, 1, rows),
        ],
        axis=1,
    )
    series = SensorSeries("pump", 1000 * np.arange(rows, dtype=np.int64), values)
    return TrainingData(("pressure", "flow", "current"), (series,), 1000, "ab" * 32, "pump.csv")


def trained(folder: Path, architecture: Architecture = "combined", **more: Any) -> Detector:
    folder.mkdir(exist_ok=True)
    wanted = DetectorSettings(architecture=architecture, window=WINDOW, epochs=6, trees=20, **more)
    return train_detector(pump(), wanted, folder, created=CREATED, device="cpu", threads=1)


@pytest.fixture(scope="module")
def combined(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return trained(tmp_path_factory.mktemp("combined"))


def windows(fault: bool = False) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    values = pump(seed=9).series[0].values.astype(np.float32)
    if fault:
        values[:, 1] += 60
    return rolling(values, WINDOW)


def test_the_file_keeps_the_contract_of_a_detector(combined: Detector) -> None:
    document = onnx.load(combined.file)
    (entry,) = document.graph.input
    dims = entry.type.tensor_type.shape.dim
    assert (entry.name, dims[0].dim_param, dims[1].dim_value, dims[2].dim_value) == ("window", "n", WINDOW, 3)
    assert [output.name for output in document.graph.output] == ["score", "feature_scores"]
    assert combined.file.stat().st_size < 1_000_000
    metadata = {one.key: one.value for one in document.metadata_props}
    spec = read_series_spec(metadata, Manifest(task="anomaly"))
    assert spec.features == ("pressure", "flow", "current")
    assert (spec.window, spec.period_ms, spec.kind, spec.threshold) == (WINDOW, 1000, "combined", 1.0)
    assert spec.fallback == pytest.approx([5, 100, 0], abs=0.5)
    assert spec.trained is not None
    assert (spec.trained.seed, spec.trained.rows, spec.trained.data_sha256) == (0, 400, "ab" * 32)


@pytest.mark.parametrize("count", [1, 2, 77])
def test_any_number_of_windows_is_scored_alike(combined: Detector, count: int) -> None:
    every = run_file(combined.file, windows())
    some = run_file(combined.file, windows()[:count], batch=count)
    np.testing.assert_allclose(some[SCORE], every[SCORE][:count], rtol=1e-5, atol=1e-6)
    assert (every[SCORE] >= 0).all()
    assert (every[PARTS] >= 0).all()
    np.testing.assert_allclose(every[PARTS].sum(axis=1), every[SCORE], rtol=1e-3)


def test_normal_windows_stay_below_the_threshold_and_a_fault_is_named(combined: Detector) -> None:
    threshold = combined.calibrated.threshold
    assert (run_file(combined.file, windows())[SCORE] > threshold).mean() < 0.05
    found = run_file(combined.file, windows(fault=True))
    assert (found[SCORE] > threshold).mean() > 0.95
    assert (found[PARTS].argmax(axis=1) == 1).mean() > 0.95


def test_the_score_of_both_is_the_larger_in_its_own_thresholds(combined: Detector) -> None:
    parts = [run_file(part.file, windows(fault=True)) for part in combined.parts.values()]
    limits = [part.calibrated.threshold for part in combined.parts.values()]
    expected = np.maximum(*(part[SCORE] / limit for part, limit in zip(parts, limits, strict=True)))
    np.testing.assert_allclose(run_file(combined.file, windows(fault=True))[SCORE], expected, rtol=1e-5)


def test_values_beyond_all_reason_give_numbers(combined: Detector) -> None:
    found = run_file(combined.file, np.full((1, WINDOW, 3), 3e38, np.float32))
    assert np.isfinite(found[SCORE]).all()
    assert np.isfinite(found[PARTS]).all()


def test_the_same_seed_gives_the_same_file_and_another_does_not(combined: Detector, tmp_path: Path) -> None:
    again, other = trained(tmp_path / "again"), trained(tmp_path / "other", seed=1)
    assert again.file.read_bytes() == combined.file.read_bytes()
    assert other.file.read_bytes() != combined.file.read_bytes()


def test_the_autoencoder_s_file_answers_as_pytorch_does(tmp_path: Path) -> None:
    """With random weights and every number in its arithmetic away from what it starts as."""
    from vss.training.anomaly.graph import GraphWriter

    torch.manual_seed(3)
    network = Autoencoder(WINDOW, Normal.of(pump()), tail=5, hidden=7, code=3, drift=1.5)
    network.unit.copy_(torch.rand(3) + 0.5)
    writer = GraphWriter(WINDOW, 3)
    writer.write(network.write(writer, "window"), tmp_path / "a.onnx")
    with torch.no_grad():
        score, parts = (one.numpy() for one in network(torch.from_numpy(windows(fault=True))))
    assert check_same(tmp_path / "a.onnx", {SCORE: score, PARTS: parts}, windows(fault=True)) < 1e-4
    with pytest.raises(ModelUnsupported, match="differs"):
        check_same(tmp_path / "a.onnx", {SCORE: score * 1.001, PARTS: parts}, windows(fault=True))


def test_the_forest_s_file_answers_as_scikit_learn_does(combined: Detector) -> None:
    forest = combined.parts["isolation-forest"]
    assert forest.difference < 1e-4
    assert combined.parts["lstm-autoencoder"].difference < 1e-4
    assert 0 < forest.calibrated.threshold < 1


def test_statistics_are_those_of_the_newest_readings() -> None:
    normal = Normal.of(pump())
    one = np.zeros((1, WINDOW, 3), np.float32) + normal.centre.astype(np.float32)
    one[0, -4:, 1] += np.array([1, -1, 1, -1]) + 10
    values, shares = (found.numpy()[0] for found in Statistics(normal, tail=4)(torch.from_numpy(one)))
    scale = normal.spread[1]
    assert values[1] == pytest.approx(10 / scale, rel=1e-4)
    assert values[4] == pytest.approx(np.log(1 / scale**2), abs=1e-2)
    assert values[7] == pytest.approx(10 / scale, rel=1e-4)
    assert shares.sum() == pytest.approx(1)


def test_drift_makes_a_wandering_level_normal(tmp_path: Path) -> None:
    data = pump()
    data.series[0].values[:, 2] += np.linspace(0, 20, 400)
    later = windows() + np.array([0, 0, 35], np.float32)

    def share(drift: float) -> float:
        wanted = DetectorSettings(architecture="lstm-autoencoder", window=WINDOW, epochs=2, drift=drift)
        made = train_detector(data, wanted, tmp_path, created=CREATED, device="cpu", threads=1)
        return float((run_file(made.file, later)[SCORE] > made.calibrated.threshold).mean())

    assert share(3.0) < 0.1
    assert share(0.0) > 0.5


def table(folder: Path, data: TrainingData, extra: str = "", rows: int | None = None) -> Path:
    path = folder / "pump.csv"
    (series,) = data.series
    lines = [f"ts,{','.join(data.features)}{',' + extra if extra else ''}"]
    for ts, values in list(zip(series.ts_ms.tolist(), series.values.tolist(), strict=True))[:rows]:
        lines.append(f"{ts / 1000},{','.join(map(str, values))}{',7' if extra else ''}")
    path.write_text("\n".join(lines))
    return path


def run(command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=True)


def test_the_command_adds_versions_and_says_how_to_serve_them(tmp_path: Path) -> None:
    file, store = table(tmp_path, pump()), tmp_path / "store"
    options = ["--data", str(file), "--name", "pump", "--window", "24", "--epochs", "2", "--store", str(store)]
    first = run(train, *options, "--threads", "1")
    assert first.exit_code == 0, first.output
    assert "trained pump@1" in first.output
    assert "vss worker anomaly --model pump" in first.output
    second = run(train, *options, "--json", "--arch", "isolation-forest")
    document = json.loads(second.stdout)
    assert (document["version"], document["rows"], document["period_ms"]) == ("2", 400, 1000)
    models = ModelStore.of(ModelSettings(store=str(store)))
    assert models.numbers("pump") == [1, 2]
    assert models.find("pump").manifest.task == "anomaly"
    assert sorted(models.extras("pump", "1")) == ["training.json", "training.png"]
    record = json.loads(models.read_extra("pump", "1", "training.json"))
    assert record["data"]["features"] == ["pressure", "flow", "current"]
    assert len(record["parts"]["lstm-autoencoder"]["held_out_loss"]) == 2
    assert models.read_extra("pump", "1", "training.png").startswith(b"\x89PNG")


def test_a_detector_that_learns_nothing_takes_the_features_alone(tmp_path: Path) -> None:
    file, store = table(tmp_path, pump()), tmp_path / "store"
    options = ["--data", str(file), "--arch", "streaming", "--window", "120", "--name", "pump", "--store", str(store)]
    made = run(train, *options)
    assert made.exit_code == 0, made.output
    short = run(train, *options[:-6], "--window", "50", "--name", "pump")
    assert isinstance(short.exception, ConfigError)
    assert "--window 100 or more" in short.exception.fix


@pytest.mark.parametrize(
    ("options", "said", "fix"),
    [
        (["--features", "pressure,flwo"], "no column 'flwo'", "did you mean --features 'flow'?"),
        (["--features", "pressure,stuck"], "column 'stuck' is 7 in every row", "leave it out: --features pressure"),
        (["--features", "pressure", "--window", "600"], "400 rows", "a smaller --window"),
        (["--features", "pressure", "--window", "300"], "to hold some back", "at least 443 rows in a row"),
        (["--time-column", "when"], "no column 'when'", "--time-column"),
        (["--period", "often"], "'often' is no period", "write 1s"),
        (["--topic", "telemetry"], "both a file and a topic", "give --data FILE"),
        (["--from", "-1d"], "--from and --to are of a topic", "leave them out"),
    ],
)
def test_what_cannot_be_trained_on_is_named_with_its_fix(
    tmp_path: Path, options: list[str], said: str, fix: str
) -> None:
    file = table(tmp_path, pump(), extra="stuck")
    result = run(train, "--data", str(file), "--name", "pump", "--store", str(tmp_path / "store"), *options)
    assert isinstance(result.exception, VssError)
    assert said in str(result.exception)
    assert fix in result.exception.fix
    assert not (tmp_path / "store").exists()


def test_a_model_of_the_store_is_measured_and_one_of_other_features_refused(tmp_path: Path) -> None:
    runs, store = tmp_path / "runs", tmp_path / "store"
    runs.mkdir()
    rows = pump(600)
    rows.series[0].values[450:550, 1] += 60
    text = table(tmp_path, rows).read_text().splitlines()
    marked = [text[0] + ",anomaly"] + [f"{line},{int(450 <= row < 550)}" for row, line in enumerate(text[1:])]
    (runs / "0.csv").write_text("\n".join(marked).replace(",", ";"))
    options = ["--name", "pump", "--window", "24", "--epochs", "2", "--store", str(store)]
    assert run(train, "--data", str(table(tmp_path, pump())), *options).exit_code == 0
    skab = ["--protocol", "skab", "--data", str(runs)]
    measured = run(evaluate, *skab, "--model", "pump", "--store", str(store), "--json")
    assert measured.exit_code == 0, measured.output
    found = json.loads(measured.stdout)
    assert found["detector"] == "pump@1"
    assert found["f1"] > 0.9
    fitted = run(evaluate, *skab, "--window", "24", "--epochs", "2", "--json")
    assert json.loads(fitted.stdout)["f1"] > 0.8
    run(train, "--data", str(table(tmp_path, pump())), "--features", "flow", *options[:1], "flow", *options[2:])
    other = run(evaluate, *skab, "--model", "flow", "--store", str(store))
    assert isinstance(other.exception, ModelUnsupported)
    assert "the model takes flow" in str(other.exception)
