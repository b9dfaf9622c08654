"""Held against numbers that the benchmark publishes, and cases worked out by hand."""

import numpy as np
import pytest

from vss.training.protocols.nab_score import (
    PROFILES,
    STANDARD,
    Scored,
    best_threshold,
    probation,
    scaled_sigmoid,
    score_at,
    weights,
)


@pytest.mark.parametrize(("position", "reward"), [(-1.0, 0.98661), (-0.5, 0.84828), (0.0, 0.0), (1.0, -0.98661)])
def test_the_reward_is_the_benchmark_s(position: float, reward: float) -> None:
    """The table in the comments of its scorer."""
    assert float(scaled_sigmoid(np.array(position))) == pytest.approx(reward, abs=1e-5)


def test_far_behind_a_window_a_false_alarm_costs_all() -> None:
    assert float(scaled_sigmoid(np.array(3.0))) == -1.0


@pytest.mark.parametrize(("rows", "expected"), [(4032, 604), (7267, 750), (22695, 750), (1000, 150)])
def test_the_probationary_period_is_15_percent_of_5000_rows_at_most(rows: int, expected: int) -> None:
    assert probation(rows) == expected


def test_rows_are_worth_what_they_are_by_hand() -> None:
    worth = weights(100, [(50, 59)], STANDARD)
    assert worth[49] == pytest.approx(-0.11)
    assert worth[50] == pytest.approx(1.0)  # relative place -1, divided by its own reward
    assert worth[55] == pytest.approx((2 / (1 + np.exp(-5 * 0.5)) - 1) / 0.9866143)
    assert worth[59] == pytest.approx((2 / (1 + np.exp(-5 * 0.1)) - 1) / 0.9866143)
    assert worth[60] == pytest.approx(0.11 * (2 / (1 + np.exp(5 / 9)) - 1))  # a ninth of a width behind
    assert worth[59 + 27] == pytest.approx(-0.11)  # three widths behind


def series(rows: int, alarms: list[int], windows: tuple[tuple[int, int], ...]) -> Scored:
    scores = np.zeros(rows)
    scores[alarms] = 1.0
    return Scored(scores, windows)


def test_nothing_scores_0_and_perfection_100() -> None:
    windows = ((500, 599), (800, 899))
    assert score_at([series(1000, [], windows)], 1.0).score == 0.0
    perfect = score_at([series(1000, [500, 800], windows)], 1.0)
    assert perfect.score == pytest.approx(100.0)
    assert (perfect.found, perfect.windows, perfect.false_alarms) == (2, 2, 0)


def test_only_the_earliest_detection_in_a_window_counts() -> None:
    one = score_at([series(1000, [500], ((500, 599),))], 1.0).score
    many = score_at([series(1000, [500, 510, 599], ((500, 599),))], 1.0).score
    assert one == many


def test_false_alarms_cost_and_probation_is_free() -> None:
    windows = ((500, 599),)
    assert score_at([series(1000, [500, 300], windows)], 1.0).score == pytest.approx(100 * (2 - 0.11) / 2)
    assert score_at([series(1000, [500, 100], windows)], 1.0).score == pytest.approx(100.0)


def test_profiles_weigh_as_published() -> None:
    windows = ((500, 599),)
    missed = [series(1000, [300], windows)]
    assert score_at(missed, 1.0, PROFILES["reward_low_fp"]).score == pytest.approx(100 * -0.22 / 2)
    assert score_at(missed, 1.0, PROFILES["reward_low_fn"]).score == pytest.approx(100 * -0.11 / 3)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_threshold_is_the_best_of_all_there_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    every = [
        Scored(np.round(rng.random(400), 2), ((100, 139), (300, 339))),
        Scored(np.round(rng.random(300), 2), ()),
        Scored(np.round(rng.random(500), 2), ((200, 260),)),
    ]
    for one in every:  # later rows of a window tend to score higher, so that the first found is often not the earliest
        for first, last in one.windows:
            one.scores[first : last + 1] = np.round(
                one.scores[first : last + 1] * 0.5 + np.linspace(0.6, 1, last - first + 1), 2
            )
    tried = [score_at(every, threshold) for threshold in np.round(np.arange(0, 1.6, 0.01), 2)]
    best = best_threshold(every)
    assert best.score == pytest.approx(max(one.score for one in tried))
    assert best.score >= 0.0  # saying nothing is always open


def test_one_threshold_serves_all_series() -> None:
    """Alone each could be perfect; together the higher threshold misses the second."""
    first = series(1000, [500], ((500, 599),))
    second = Scored(0.5 * first.scores, first.windows)
    noisy = Scored(np.where(np.arange(1000) % 7 == 0, 0.5, 0.0), ())
    assert best_threshold([first, second]).score == pytest.approx(100.0)
    assert best_threshold([first, second, noisy]).found == 1
