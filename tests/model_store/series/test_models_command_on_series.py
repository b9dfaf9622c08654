"""`vss models` on models that look at readings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.model_store.models_command import runner
from tests.model_store.series.tiny_series import spec_document, write_anomaly, write_forecast
from vss.config import ModelSettings
from vss.model_store.facts import read_facts
from vss.model_store.manifest import Manifest
from vss.model_store.store import ModelStore

TRAINED = {"rows": 5000, "data_sha256": "ab" * 32, "metrics": {"loss": 0.0123}}


@pytest.fixture
def vss(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    write_anomaly(tmp_path / "pump.onnx", spec=spec_document(trained=TRAINED))
    return runner(capsys, tmp_path, monkeypatch)


def add_trained(tmp_path: Path) -> None:
    """As a training registers a version: with its curves."""
    settings = ModelSettings(store=str(tmp_path / "models"))
    extras = {"training.png": b"\x89PNG curves", "training.json": b"{}"}
    manifest = Manifest(task="anomaly")
    ModelStore.of(settings).add(
        tmp_path / "pump.onnx", "pump", manifest, check=lambda ref: read_facts(ref, settings), extras=extras
    )


def test_a_series_model_is_added_without_saying_its_task(vss: Any) -> None:
    code, out, _ = vss("add", "pump.onnx", "--name", "pump")

    assert code == 0
    for words in (
        "added pump@1",
        "task        anomaly",
        "kind        tiny",
        "features    2: pressure, flow",
        "window      4 readings, one each 1000 ms",
        "threshold   1; low, medium, high, critical from 1, 1.5, 2, 3",
        "trained on  5,000 readings, SHA-256 abababababab…",
        "held out    loss 0.0123",
        "run it with `vss worker anomaly --model pump`",
    ):
        assert words in out
    assert "input" not in out


def test_a_forecast_model_is_added_alike(vss: Any, tmp_path: Path) -> None:
    write_forecast(tmp_path / "flow.onnx")

    out = vss("add", "flow.onnx", "--name", "flow")[1]

    assert "horizon     3 steps, 90 % intervals" in out
    assert "vss worker forecast --model flow" in out


def test_machines_are_told_what_it_was_trained_with(vss: Any) -> None:
    added = json.loads(vss("add", "pump.onnx", "--name", "pump", "--json")[1])

    assert added["task"] == "anomaly"
    assert added["series"]["features"] == ["pressure", "flow"]
    assert added["series"]["window"] == 4
    assert added["series"]["trained"]["metrics"] == {"loss": 0.0123}
    assert "input" not in added
    assert json.loads(vss("show", "pump", "--json")[1]) == added


def test_what_is_set_by_hand_is_shown(vss: Any, tmp_path: Path) -> None:
    (tmp_path / "pump.yaml").write_text("task: anomaly\nseries: {threshold: 3}\n")

    assert (
        "threshold   3; low, medium, high, critical from 3, 4.5, 6, 9" in vss("add", "pump.onnx", "--name", "pump")[1]
    )


def test_show_names_the_training_curves_and_copies_them_out(vss: Any, tmp_path: Path) -> None:
    add_trained(tmp_path)

    code, out, _ = vss("show", "pump", "--curves", "curves.png")

    assert code == 0
    assert "stored with models/pump/1/training.json, models/pump/1/training.png" in out
    assert (tmp_path / "curves.png").read_bytes() == b"\x89PNG curves"
    assert json.loads(vss("show", "pump", "--json")[1])["stored_with"] == ["training.json", "training.png"]
    assert "pump@1  as stored" in vss("verify")[1]
    curves = tmp_path / "models" / "pump" / "1" / "training.png"
    curves.chmod(0o644)
    curves.write_bytes(b"others")
    code, out, _ = vss("verify")
    assert code == 1
    assert "training.png is not the file that was stored" in out


def test_curves_that_are_not_there_are_one_line_with_the_fix(vss: Any) -> None:
    vss("add", "pump.onnx", "--name", "pump")

    code, _, err = vss("show", "pump", "--curves", "curves.png")
    assert (code, "no training.png was stored with pump@1" in err) == (2, True)
    code, _, err = vss("show", "pump.onnx", "--curves", "curves.png")
    assert (code, "nothing is stored with a file" in err) == (2, True)
    add = vss("add", "pump.onnx", "--name", "pump")
    assert add[0] == 0


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"shape": ["n", 4, 3]}, "the input of pump.onnx is (n, 4, 3), but it says window 4 and 2 features"),
        ({"spec": spec_document(features=["a"])}, "vss.series in pump.onnx: fallback: 2 numbers for 1 features"),
        ({"spec": spec_document(fallback=None)}, "vss.series in pump.onnx: fallback is missing"),
        ({"spec": spec_document(lookback=3)}, "vss.series in pump.onnx: unknown key lookback"),
        ({"divide": True}, "fails on a window of zeros"),
        ({"outputs": ("anomaly", "feature_scores")}, "pump.onnx has no output score, but anomaly, feature_scores"),
    ],
)
def test_a_model_that_does_not_fit_is_one_line_and_leaves_nothing(
    vss: Any, tmp_path: Path, written: dict[str, Any], says: str
) -> None:
    write_anomaly(tmp_path / "pump.onnx", **written)

    code, _, err = vss("add", "pump.onnx", "--name", "pump")

    assert code == 2
    assert says in err
    assert [line.partition(":")[0] for line in err.strip().splitlines()] == ["error", "fix"]
    assert vss("list", "--json")[1].strip() == "[]"


def test_one_that_says_nothing_of_itself_is_told_what_to_write(vss: Any, tmp_path: Path) -> None:
    write_anomaly(tmp_path / "other.onnx", spec={})

    code, _, err = vss("add", "other.onnx", "--name", "other", "--task", "anomaly")
    assert code == 2
    assert "has no metadata vss.series" in err
    assert "write the keys of `series` into model.yaml" in err

    (tmp_path / "other.yaml").write_text(
        "task: anomaly\nseries: {features: [pressure, flow], window: 4, fallback: [0, 0]}\n"
    )
    code, out, _ = vss("add", "other.onnx", "--name", "other")
    assert code == 0
    assert "threshold   0.1;" in out


def test_models_of_readings_are_not_quantised(vss: Any, tmp_path: Path) -> None:
    vss("add", "pump.onnx", "--name", "pump")
    (tmp_path / "frames").mkdir()

    code, _, err = vss("quantize", "pump", "--calibration", "frames")
    assert code == 2
    assert "8 bits are for models of pictures" in err


def table(path: Path, rows: int, *, names: str = "pressure,flow") -> None:
    """Readings that are normal but for ten in the middle."""
    lines = [f"ts,{names}"]
    for row in range(rows):
        value = 4.0 if rows // 2 <= row < rows // 2 + 10 else 0.1 * (row % 5)
        lines.append(f"{1_700_000_000_000 + 1000 * row},{value},{value}")
    path.write_text("\n".join(lines) + "\n")


def test_two_versions_are_compared_on_a_table_of_readings(vss: Any, tmp_path: Path) -> None:
    vss("add", "pump.onnx", "--name", "pump")
    write_anomaly(tmp_path / "pump.onnx", gain=0.5, spec=spec_document())
    vss("add", "pump.onnx", "--name", "pump")
    table(tmp_path / "readings.csv", 100)

    found = json.loads(vss("compare", "pump", "1", "2", "readings.csv", "--json")[1])

    # Of 97 windows of 4 readings; version 2 needs scores twice as large.
    assert found["windows"] == 97
    assert found["a"]["anomalies"] > found["b"]["anomalies"] > 0
    assert found["only_a"] == found["a"]["anomalies"] - found["b"]["anomalies"]
    assert found["only_b"] == 0
    assert found["agreement"] == pytest.approx(1 - found["only_a"] / 97)
    assert found["correlation"] == pytest.approx(1)
    code, out, err = vss("compare", "pump", "1", "2", "readings.csv", "--require", "0.999")
    assert code == 1
    assert "which is below 0.999" in err
    assert "their scores correlate by 1.000" in out
    assert vss("compare", "pump", "1", "1", "readings.csv", "--require", "1")[0] == 0
    assert json.loads(vss("compare", "pump", "1", "2", "readings.csv", "--limit", "7", "--json")[1])["windows"] == 7
    assert json.loads(vss("compare", "pump", "1", "2", "readings.csv", "--every", "10", "--json")[1])["windows"] == 10


def test_readings_that_do_not_fit_are_one_line_with_the_fix(vss: Any, tmp_path: Path) -> None:
    vss("add", "pump.onnx", "--name", "pump")
    table(tmp_path / "short.csv", 3)
    table(tmp_path / "other.csv", 30, names="pressure,level")
    write_anomaly(tmp_path / "wide.onnx", spec=spec_document(window=5), shape=["n", 5, 2])
    write_forecast(tmp_path / "flow.onnx")
    table(tmp_path / "fine.csv", 30)
    for arguments, says in (
        (("1", "1", "short.csv"), "has no 4 readings in a row"),
        (("1", "1", "other.csv"), "flow"),
        (("1", "wide.onnx", "fine.csv"), "window 5 instead of 4"),
        (("1", "flow.onnx", "fine.csv"), "is for forecast; on readings models for anomalies are compared"),
        (("1", "1"), "name one table of them, or a topic"),
    ):
        code, _, err = vss("compare", "pump", *arguments)
        assert code == 2, err
        assert says in err
        assert [line.partition(":")[0] for line in err.strip().splitlines()] == ["error", "fix"]
