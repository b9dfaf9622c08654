"""`vss evaluate forecast` and `vss train forecast` as a user meets them, without PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.model_store.series.tiny_series import spec_document, write_forecast
from vss.cli.main import main
from vss.training.forecast.learnt import LEARNT_UNTIL

HOUR_MS = 3_600_000
WINDOW, HORIZON = 4, 3
"""Of the tiny model, which foretells the mean of its window."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 months of hours."""
    rng = np.random.default_rng(0)
    rows = 14_500
    values = np.stack([5 + rng.standard_normal(rows), 100 + 10 * rng.standard_normal(rows)], axis=1)
    path = tmp_path_factory.mktemp("data") / "hours.csv"
    lines = (f"{1_767_225_600_000 + i * HOUR_MS},{a:.5f},{b:.5f}" for i, (a, b) in enumerate(values))
    path.write_text("ts,pressure,flow\n" + "\n".join(lines) + "\n")
    return path


def model(path: Path, *, learnt_until_ms: int | None = None, **changes: Any) -> Path:
    write_forecast(path, spread=2.0, spec=spec_document(horizon=HORIZON, threshold=None, period_ms=HOUR_MS, **changes))
    if learnt_until_ms is not None:
        document = onnx.load(path)
        document.metadata_props.add(key=LEARNT_UNTIL, value=str(learnt_until_ms))
        onnx.save(document, path)
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(["evaluate", "forecast", *map(str, arguments)])
    return int(exit_.value.code or 0)


def test_a_model_is_measured_as_the_literature_does(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--data", table, "--model", model(tmp_path / "tiny.onnx"), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    values = np.loadtxt(table, delimiter=",", skiprows=1)[:, 1:]
    learnt = values[:8_640]
    mean, deviation = learnt.mean(axis=0), learnt.std(axis=0)
    errors, naive, within = [], [], []
    for first in range(11_520, 14_400 - HORIZON + 1):  # every window, as plainly as can be
        window, followed = values[first - WINDOW : first], values[first : first + HORIZON]
        foretold = window.mean(axis=0)
        errors.append((foretold - followed) / deviation)
        naive.append((window[-1] - followed) / deviation)
        within.append(np.abs(foretold - followed) <= 2.0)
    assert found["windows"] == len(errors) == 2_880 - HORIZON + 1
    assert found["mse"] == pytest.approx(np.square(errors).mean(), rel=1e-3)
    assert found["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-3)
    assert found["naive_mse"] == pytest.approx(np.square(naive).mean(), rel=1e-3)
    assert found["coverage"] == pytest.approx(np.mean(within), abs=1e-3)
    assert found["coverage_by_feature"] == pytest.approx(np.mean(within, axis=(0, 1)), abs=1e-3)
    assert found["width"] == pytest.approx(np.mean(4.0 / deviation), rel=1e-3)
    assert found["mse_by_step"] == pytest.approx(np.square(errors).mean(axis=(0, 2)), rel=1e-3)
    assert mean[0] == pytest.approx(5, abs=0.1)


def test_people_read_a_table(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--data", table, "--model", model(tmp_path / "tiny.onnx")) == 0
    shown = capsys.readouterr().out
    assert "2,878 test windows" in shown
    assert all(word in shown for word in ("MSE", "MAE", "within 90 %", "pressure", "flow"))


def test_a_model_that_has_seen_the_test_months_is_refused(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from vss.training.data.csv_file import read_csv

    trained = {"trained": {"data_sha256": read_csv(table).sha256}}
    until = 1_767_225_600_000 + 11_519 * HOUR_MS
    honest = model(tmp_path / "honest.onnx", learnt_until_ms=until, **trained)
    assert run("--data", table, "--model", honest, "--json") == 0
    capsys.readouterr()
    seen = model(tmp_path / "seen.onnx", learnt_until_ms=until + 1, **trained)
    assert run("--data", table, "--model", seen) == 2
    said = capsys.readouterr().err
    assert "has learnt from months that the protocol tests on" in said
    assert "--split ett" in said


@pytest.mark.parametrize(
    ("options", "changes", "says"),
    [
        (["--lookback", "24"], {}, "--lookback 24, but the model's is 4"),
        (["--horizon", "6"], {}, "--horizon 6, but the model's is 3"),
        (["--features", "flow,pressure"], {}, "has the columns flow, pressure; the model takes pressure, flow"),
        (["--features", "flow"], {}, "has no column 'pressure'; the model takes pressure, flow"),
        ([], {"features": ["pressure", "level"]}, "has no column 'level'"),
    ],
)
def test_what_does_not_fit_is_one_line_with_the_fix(
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    changes: dict[str, Any],
    says: str,
) -> None:
    assert run("--data", table, "--model", model(tmp_path / "tiny.onnx", **changes), *options) == 2
    error, fix = capsys.readouterr().err.splitlines()
    assert says in error
    assert fix.startswith("fix:")


def test_a_file_that_is_no_model_is_one_line(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.onnx").write_text("nothing")
    assert run("--data", table, "--model", tmp_path / "no.onnx") == 2
    assert capsys.readouterr().err.startswith("error:")
