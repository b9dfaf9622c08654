"""Held against cases worked out by hand and what the data is."""

from pathlib import Path

import numpy as np
import pytest

from vss.errors import ConfigError
from vss.training.protocols.skab import TRAINING_ROWS, Counts, read_runs, said_of_rows, summed


def flags(text: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([one == "1" for one in text])


def test_rates_are_those_by_hand() -> None:
    counts = Counts.of(flags("0001111000"), flags("0100111100"))
    assert counts == Counts(tp=3, fp=2, fn=1, tn=4)
    assert counts.f1 == pytest.approx(3 / (3 + (2 + 1) / 2))
    assert counts.false_alarm_rate == pytest.approx(2 / 6)
    assert counts.missing_alarm_rate == pytest.approx(1 / 4)


def test_rows_of_all_files_are_added_up_before_rates_are_made() -> None:
    small, large = Counts(tp=1, fp=0, fn=0, tn=1), Counts(tp=0, fp=10, fn=10, tn=80)
    assert summed([small, large]).f1 == pytest.approx(1 / (1 + 20 / 2))


def test_the_null_and_the_perfect_detector_have_the_leaderboard_s_figures() -> None:
    truth = flags("0011100")
    null, perfect = Counts.of(truth, flags("0000000")), Counts.of(truth, truth)
    assert (null.f1, null.false_alarm_rate, null.missing_alarm_rate) == (0, 0, 1)
    assert (perfect.f1, perfect.false_alarm_rate, perfect.missing_alarm_rate) == (1, 0, 0)


def test_a_row_is_judged_by_the_window_that_ends_with_it() -> None:
    assert said_of_rows(np.array([0.5, 2.0, 1.0, 3.0]), 1.0, 6).tolist() == [False, False, False, True, False, True]


def test_the_runs_are_read_with_their_labels(shared_data: Path) -> None:
    runs = read_runs(shared_data / "telemetry" / "skab")
    assert [run.name for run in runs] == [f"valve1/{number}.csv" for number in range(16)]
    assert all(len(run.data.features) == 8 for run in runs)
    assert all(not run.truth[:TRAINING_ROWS].any() for run in runs)
    assert all(run.training.rows == TRAINING_ROWS for run in runs)
    assert sum(int(run.truth.sum()) for run in runs) == 6309


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0.csv").write_text("datetime;Current\n2020-03-09 10:14:33;1\n")
    with pytest.raises(ConfigError, match="no file of"):
        read_runs(tmp_path)
