from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sensor.rig import SensorRig
from vss.errors import SourceUnreadable
from vss.workers.sensor.sample import Sample, Unreadable


def read(tmp_path: Path, content: str | bytes, **options: Any) -> list[Sample | Unreadable]:
    file = tmp_path / "pump.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    stream = SensorRig().recognise(str(file), **options).open()
    try:
        found: list[Sample | Unreadable] = []
        while (batch := stream.read()) is not None:
            found += batch
        return found
    finally:
        stream.close()


def samples(tmp_path: Path, content: str | bytes, **options: Any) -> list[tuple[str, int, dict[str, float | None]]]:
    found = read(tmp_path, content, **options)
    assert all(isinstance(one, Sample) for one in found), found
    return [(one.sensor_id, one.ts_ms, one.values) for one in found if isinstance(one, Sample)]


def refusal(tmp_path: Path, content: str | bytes, **options: Any) -> tuple[str, str]:
    with pytest.raises(SourceUnreadable) as caught:
        read(tmp_path, content, **options)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(tmp_path), "."), caught.value.fix


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_row_is_a_reading_whatever_separates_its_columns(tmp_path: Path, separator: str) -> None:
    rows = "\n".join(
        separator.join(row) for row in [("time", "p", "t"), ("1700000000", "1.5", "20"), ("1700000001", "2", "-1e1")]
    )
    assert samples(tmp_path, rows) == [
        ("pump", 1_700_000_000_000, {"p": 1.5, "t": 20}),
        ("pump", 1_700_000_001_000, {"p": 2, "t": -10}),
    ]


def test_columns_are_chosen_and_named_anew(tmp_path: Path) -> None:
    content = "when,S,P1,P2,note\n1700000000,a,1,2,x\n1700000001,b,3,4,y\n"
    assert samples(tmp_path, content, time_column="when", sensor_column="S", features="P2", map={"pressure": "P1"}) == [
        ("a", 1_700_000_000_000, {"P2": 2, "pressure": 1}),
        ("b", 1_700_000_001_000, {"P2": 4, "pressure": 3}),
    ]


def test_columns_of_text_are_no_features(tmp_path: Path) -> None:
    assert samples(tmp_path, "ts,p,note\n1700000000,1,fine\n") == [("pump", 1_700_000_000_000, {"p": 1})]


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "null", "NA", "n/a", "None", "-", "inf", "-Infinity"])
def test_a_cell_without_a_number_is_null(tmp_path: Path, cell: str) -> None:
    assert samples(tmp_path, f"ts,p,q\n1700000000,{cell},1\n") == [("pump", 1_700_000_000_000, {"p": None, "q": 1})]


def test_a_decimal_comma_where_columns_are_separated_by_something_else(tmp_path: Path) -> None:
    assert samples(tmp_path, "ts;p\n1700000000;1,5\n") == [("pump", 1_700_000_000_000, {"p": 1.5})]


def test_quotes_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf"ts","a, b"\r\n"1700000000","1.5"\r\n\r\n"1700000001","2"\r\n'
    assert [values for _, _, values in samples(tmp_path, content)] == [{"a, b": 1.5}, {"a, b": 2}]


def test_a_bad_row_costs_itself_alone_and_says_where(tmp_path: Path) -> None:
    content = (
        b"ts,p\n1700000000,1\nyesterday,2\n1700000002,much\n1700000003\n1700000004,\xff\n"
        + b"1700000005,"
        + b"1" * 70_000
        + b"\n1700000006,1_0\n1700000007,7\n"
    )
    good, *bad, last = read(tmp_path, content)
    assert isinstance(good, Sample)
    assert isinstance(last, Sample)
    assert last.values == {"p": 7}
    said = [one.why.partition("pump.csv, ")[2] for one in bad if isinstance(one, Unreadable)]
    assert said == [
        "line 3: column 'ts': 'yesterday' is no time",
        "line 4: column 'p': 'much' is no number",
        "line 5: 1 columns, where the first line names 2",
        "line 6: no UTF-8 text",
        "line 7: longer than 65536 bytes",
        "line 8: column 'p': '1_0' is no number",
    ]


@pytest.mark.parametrize(
    ("content", "options", "message", "fix"),
    [
        ("ts,pressure\n1,1\n", {"features": "presure"}, "has no column 'presure'", "--features 'pressure'? It has: ts"),
        ("ts,p\n1,1\n", {"map": {"x": "P"}}, "has no column 'P'", "--map x='p'"),
        ("ts,p\n1,1\n", {"time_column": "tz"}, "has no column 'tz'", "--time-column 'ts'"),
        ("ts,p\n1,1\n", {"sensor_column": "id"}, "has no column 'id'", "--sensor-column"),
        ("when,p\n1,1\n", {}, "has no column called ts, time", "--time-column 'when'"),
        ("ts,p\nyesterday,1\n", {}, "line 2: column 'ts': 'yesterday' is no time", "--time-format"),
        ("ts,p\n\n1700000000,x\n", {"features": "p"}, "line 3: column 'p': 'x' is no number", "--features"),
        ("ts,note\n1700000000,x\n", {}, "line 2: no column holds a number", "--features"),
        ("ts,p,p\n1700000000,1,2\n", {}, "has two columns 'p'", "--features"),
        ("", {}, "is empty", "CSV file"),
        ("\n\n", {}, "is empty", "CSV file"),
        ("ts,p\n", {}, "nothing below its first line", "rows"),
        (b"ts,\xe9\n1,1\n", {}, "line 1 is no UTF-8 text", "iconv"),
        (b"ts,p\n1,\xe9\n", {}, "line 2: no UTF-8 text", "iconv"),
        (b"x" * 100_000, {}, "line 1 is longer than 65536 bytes", "first line names"),
    ],
)
def test_what_is_no_such_table_is_one_line_with_the_fix(
    tmp_path: Path, content: str | bytes, options: dict[str, Any], message: str, fix: str
) -> None:
    said, advice = refusal(tmp_path, content, **options)
    assert message in said
    assert "./pump.csv" in said
    assert fix in advice


def test_many_rows_come_in_pieces(tmp_path: Path) -> None:
    content = "ts,n\n" + "".join(f"{1_700_000_000 + i},{i}\n" for i in range(1000))
    assert [values["n"] for _, _, values in samples(tmp_path, content)] == list(range(1000))


def test_a_real_run_of_a_real_pump(shared_data: Path) -> None:
    stream = SensorRig().recognise(str(shared_data / "telemetry" / "skab" / "valve1" / "0.csv")).open()
    batch = stream.read()
    stream.close()
    assert batch is not None
    first = batch[0]
    assert isinstance(first, Sample)
    assert first.ts_ms == 1_583_748_873_000
    assert first.values["Volume Flow RateRMS"] == 32.0
