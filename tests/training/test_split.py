import numpy as np
import pytest

from vss.errors import ConfigError
from vss.training.data.series import SensorSeries, TrainingData
from vss.training.data.split import check_trainable, fill, pieces, split_by_time, windows_of
from vss.training.data.times import parse_period

NAN = float("nan")


def data_of(*stretches: list[float], start: int = 0, step: int = 1000) -> TrainingData:
    series, at = [], start
    for stretch in stretches:
        times = at + step * np.arange(len(stretch))
        series.append(SensorSeries("pump", times.astype(np.int64), np.array(stretch, float)[:, None]))
        at = int(times[-1]) + 100 * step
    return TrainingData(("x",), tuple(series), step, "0" * 64, "pump.csv")


def test_parts_follow_each_other_and_hold_every_reading_once() -> None:
    data = data_of(list(range(7)), list(range(7, 20)))
    parts = split_by_time(data, (0.5, 0.3, 0.2))
    values = [np.concatenate([one.values.ravel() for one in part.series]).tolist() for part in parts]
    assert values == [list(range(10)), list(range(10, 16)), list(range(16, 20))]


def test_a_later_part_may_look_back_within_its_stretch_only() -> None:
    data = data_of(list(range(6)), list(range(6, 10)))
    first, second = split_by_time(data, (0.5, 0.5), look_back=3)
    assert [one.values.ravel().tolist() for one in first.series] == [[0, 1, 2, 3, 4]]
    assert [one.values.ravel().tolist() for one in second.series] == [[2, 3, 4, 5], [6, 7, 8, 9]]


def test_no_window_lies_across_a_hole() -> None:
    data = data_of([1, 2, 3, 4, 5, 6])
    data.series[0].ts_ms[3:] += 60_000
    assert [len(piece) for piece in pieces(data)] == [3, 3]
    windows = windows_of(data, 3, fallback=np.zeros(1))
    assert windows[..., 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert windows.dtype == np.float32


def test_a_few_missing_readings_part_nothing() -> None:
    data = data_of([1, 2, 3, 4])
    data.series[0].ts_ms[2:] += 3_000
    assert len(windows_of(data, 4, fallback=np.zeros(1))) == 1


def test_windows_are_filled_as_a_worker_fills_them() -> None:
    """What lies before the window is not known to it."""
    windows = windows_of(data_of([1, NAN, NAN, 4]), 2, fallback=np.array([9.0]))
    assert windows[..., 0].tolist() == [[1, 1], [9, 9], [9, 4]]


def test_missing_values_of_a_stretch_are_filled() -> None:
    values = np.array([[NAN, 1.0], [2.0, NAN], [NAN, NAN], [4.0, 5.0]])
    fallback = np.array([7.0, 8.0])
    assert fill(values, "hold", fallback).tolist() == [[7, 1], [2, 1], [2, 1], [4, 5]]
    assert fill(values, "mean", fallback).tolist() == [[7, 1], [2, 8], [7, 8], [4, 5]]


@pytest.mark.parametrize(
    ("values", "length", "said"),
    [
        ([3.0] * 50, 10, "column 'x' is 3 in every row"),
        ([NAN] * 50, 10, "column 'x' holds no number"),
        ([1.0, 2.0, 3.0], 10, "has 3 rows, 3 in the longest stretch: too few for windows of 10"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(values: list[float], length: int, said: str) -> None:
    with pytest.raises(ConfigError, match=r"pump\.csv") as error:
        check_trainable(data_of(values), length)
    assert said in str(error.value)
    assert error.value.fix


def test_the_fix_leaves_out_the_column_that_is_constant() -> None:
    series = SensorSeries("pump", np.arange(9, dtype=np.int64), np.stack([np.arange(9.0), np.ones(9)], axis=1))
    with pytest.raises(ConfigError) as error:
        check_trainable(TrainingData(("x", "stuck"), (series,), 1, "", "pump.csv"), 3)
    assert error.value.fix == "leave it out: --features x"


@pytest.mark.parametrize(
    ("text", "ms"), [("1s", 1000), ("500ms", 500), ("15m", 900_000), ("1h", 3_600_000), ("2", 2000)]
)
def test_periods_are_read(text: str, ms: int) -> None:
    assert parse_period(text) == ms


@pytest.mark.parametrize("text", ["", "0s", "-1s", "fast", "1y", "99999d"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no period"):
        parse_period(text)
