import numpy as np
import pytest

from vss.errors import ConfigError
from vss.training.anomaly.threshold import Pareto, calibrate

RNG = np.random.default_rng(5)


def test_the_tail_of_exponential_scores_is_extrapolated() -> None:
    """P(score > x) = exp(-x), so 1 in 10,000 exceeds 9.2, though no more than 2,000 were seen."""
    found = [calibrate(RNG.exponential(size=2000), "evt", 0.9999).threshold for _ in range(20)]
    assert np.median(found) == pytest.approx(-np.log(1e-4), rel=0.1)


def test_the_tail_of_bounded_scores_ends_near_its_bound() -> None:
    """Exponential would say 1.25."""
    found = [calibrate(RNG.uniform(size=2000), "evt", 0.9999).threshold for _ in range(20)]
    assert 1.0 < np.median(found) < 1.06


def test_the_shape_of_a_heavy_tail_is_found() -> None:
    """Generalised Pareto by inversion, shape 0.2 and scale 1 (its moments are the method's)."""
    uniform = RNG.uniform(size=200_000)
    tail = Pareto.of((uniform**-0.2 - 1) / 0.2)
    assert tail.shape == pytest.approx(0.2, abs=0.05)


def test_the_quantile_is_that_of_the_scores() -> None:
    scores = np.arange(1001.0)
    made = calibrate(scores, "quantile", 0.9)
    assert made.threshold == 900.0
    assert made.expected == pytest.approx(100 / 1001)


@pytest.mark.parametrize("highest", [None, 1.0])
def test_levels_ascend_from_the_threshold(highest: float | None) -> None:
    made = calibrate(RNG.beta(8, 8, size=500), "evt", 0.9999, highest=highest)
    levels = list(made.levels.model_dump().values())
    assert levels[0] == made.threshold
    assert levels == sorted(levels)
    assert len(set(levels)) == 4
    if highest is not None:
        assert levels[-1] < highest


def test_equal_scores_give_a_threshold_above_nothing() -> None:
    assert calibrate(np.zeros(50), "quantile", 0.99).threshold > 0


def test_too_few_peaks_are_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError) as error:
        calibrate(np.arange(30.0), "evt", 0.9999)
    assert "--threshold quantile" in error.value.fix


@pytest.mark.parametrize("quantile", [0.0, 0.4, 1.0, float("nan")])
def test_what_is_no_quantile_is_refused(quantile: float) -> None:
    with pytest.raises(ConfigError, match="--quantile"):
        calibrate(np.arange(500.0), "quantile", quantile)
