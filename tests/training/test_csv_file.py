from pathlib import Path

import numpy as np
import pytest

from vss.errors import ConfigError
from vss.training.data.columns import Columns
from vss.training.data.csv_file import read_csv, read_labels


def table(folder: Path, text: str) -> Path:
    path = folder / "pump.csv"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, columns: Columns | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        read_csv(path, columns)
    assert error.value.fix
    return f"{error.value} | {error.value.fix}"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    lines = ["time,flow,pressure", "2026-03-01T00:00:00Z,1.5,2", "2026-03-01T00:00:02Z,2.5,3"]
    data = read_csv(table(tmp_path, "\n".join(lines).replace(",", separator)))
    assert data.features == ("flow", "pressure")
    assert data.series[0].values.tolist() == [[1.5, 2], [2.5, 3]]
    assert data.period_ms == 2000
    assert data.series[0].ts_ms[0] == 1772323200000


def test_a_decimal_comma_is_read_where_no_comma_separates(tmp_path: Path) -> None:
    data = read_csv(table(tmp_path, "time;flow\n2026-03-01 00:00:00;1,5\n2026-03-01 00:00:01;2,25\n"))
    assert data.series[0].values.ravel().tolist() == [1.5, 2.25]


def test_missing_values_and_infinities_are_missing(tmp_path: Path) -> None:
    data = read_csv(table(tmp_path, "ts,a,b\n1,,1\n2,nan,inf\n3,NULL,3\n4,4,-inf\n"))
    assert np.isnan(data.series[0].values).tolist() == [[True, False], [True, True], [True, False], [False, True]]
    assert data.means().tolist() == [4.0, 2.0]


def test_what_float32_cannot_hold_is_missing_as_in_a_worker(tmp_path: Path) -> None:
    data = read_csv(table(tmp_path, "ts,a\n1,1e308\n2,-1e39\n3,3e38\n"))
    assert np.isnan(data.series[0].values).ravel().tolist() == [True, True, False]


def test_labels_are_never_features(tmp_path: Path) -> None:
    path = table(tmp_path, "ts,flow,anomaly,changepoint,state\n1,1,0,0,on\n2,2,1,1,on\n3,3,0,0,off\n4,4,0,0,on\n")
    assert read_csv(path).features == ("flow",)
    assert read_csv(path, Columns(labels=("flow",))).features == ("anomaly", "changepoint")
    assert read_labels(path, "anomaly").tolist() == [False, True, False, False]


def test_rows_that_a_label_marks_part_the_others(tmp_path: Path) -> None:
    path = table(tmp_path, "ts,flow,anomaly\n1,1,0\n2,2,0\n3,3,1\n4,4,0\n")
    data = read_csv(path, keep_labelled=False)
    assert [one.values.ravel().tolist() for one in data.series] == [[1, 2], [4]]
    assert data.left_out == (("rows labelled not normal", 1),)
    assert read_csv(path).rows == 4


def test_sensors_are_told_apart_and_each_may_start_anew(tmp_path: Path) -> None:
    path = table(tmp_path, "ts,who,x\n10,a,1\n1,b,5\n11,a,2\n3,b,6\n11,a,9\n")
    data = read_csv(path, Columns(sensor="who"))
    assert data.sensors == ("a", "b")
    assert data.features == ("x",)
    assert [one.values.ravel().tolist() for one in data.series] == [[1, 2], [5, 6]]
    assert data.left_out == (("rows with the time of the row before", 1),)


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("ts,flow\n1,1\n2,2\n", Columns(features=("flwo",)), "no column 'flwo' | did you mean --features 'flow'?"),
        ("ts,flow\n1,1\n2,2\n", Columns(time="when"), "no column 'when'"),
        ("ts,flow\n1,1\n2,2\n", Columns(sensor="machine"), "no column 'machine' | give --sensor-column one of them"),
        ("when,flow\n1,1\n2,2\n", None, "say which holds the time: --time-column 'when'"),
        ("ts,state\n1,on\n2,off\n", None, "no column of numbers beside 'ts'"),
        ("ts,flow\n1,1\n2,x\n", Columns(features=("flow",)), "line 3: column 'flow' holds 'x', which is no number"),
        ("ts,flow\n1,1\nyesterday,2\n", None, "line 3: column 'ts' holds 'yesterday', which is no time"),
        ("ts,flow\n5,1\n4,2\n", None, "line 3: column 'ts' goes back in time | sort the file by time"),
        ("ts flow\n1 1\n", None, "has one column, 'ts flow' | separate columns by a comma, semicolon, tab or '|'"),
        ("ts,flow\n1,1,7\n", None, "line 2 has 3 columns, its first line has 2 | correct the line; columns are sep"),
        ("ts,flow,flow\n1,1,2\n", None, "two columns 'flow' | rename one of them"),
        ("ts,flow\n", None, "holds no rows below its first line"),
        ("ts,flow\n1,1\n", None, "holds no two readings of a sensor"),
        ("ts,flow\n1,1\n1,2\n", None, "at different times"),
    ],
)
def test_what_is_wrong_is_named_with_its_fix(tmp_path: Path, text: str, columns: Columns | None, said: str) -> None:
    assert said in refusal(table(tmp_path, text), columns)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pump.csv"
    path.write_bytes(b"\xff\xfe\x00ts,flow")
    assert "no UTF-8 text" in refusal(path)
    assert "cannot be read" in refusal(tmp_path / "nowhere.csv")


def test_the_hash_is_the_file_s(tmp_path: Path) -> None:
    first, second = (read_csv(table(tmp_path, f"ts,x\n1,1\n2,{value}\n")).sha256 for value in (1, 2))
    assert len(first) == 64
    assert first != second


def test_real_tables_are_read(shared_data: Path) -> None:
    skab = read_csv(shared_data / "telemetry" / "skab" / "valve1" / "0.csv")
    assert len(skab.features) == 8
    assert (skab.rows, skab.period_ms) == (1147, 1000)
    ett = read_csv(shared_data / "telemetry" / "ett" / "ETTh1.csv")
    assert ett.features[-1] == "OT"
    assert (ett.rows, ett.period_ms) == (17420, 3_600_000)
