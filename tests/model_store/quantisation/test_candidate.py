from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from vss.model_store.quantisation.candidate import Candidate, Measured, Points, choose
from vss.model_store.quantisation.recipe import Recipe
from vss.model_store.quantisation.speed import Speed


def measured(lost: float, ratio: float) -> Measured:
    return Measured(Candidate(Recipe(), Points(50 - lost, None), lost, Path("x")), Speed(ratio, 1.0))


ANY = st.builds(measured, st.floats(-2, 20), st.floats(0.2, 4))


@given(st.lists(ANY, max_size=12), st.floats(0, 5))
def test_the_chosen_one_is_within_the_limit_and_none_within_it_is_notably_faster(
    tried: list[Measured], max_loss: float
) -> None:
    chosen = choose(tried, max_loss=max_loss)
    allowed = [one for one in tried if one.lost <= max_loss and one.speed.ratio > 1]
    if not allowed:
        assert chosen is None
        return
    assert chosen in allowed
    assert all(chosen.speed.ratio >= 0.95 * one.speed.ratio for one in allowed)
    assert all(chosen.lost <= one.lost for one in allowed if one.speed.ratio >= chosen.speed.ratio)


def test_of_two_as_fast_the_one_that_loses_less_is_chosen() -> None:
    right, fast = measured(0.1, 1.98), measured(0.9, 2.0)
    assert choose([fast, right], max_loss=1.0) is right
    assert choose([measured(0.9, 2.4), right], max_loss=1.0).speed.ratio == 2.4  # type: ignore[union-attr]


def test_what_counts_is_the_larger_loss_of_all_pictures_and_of_the_unseen() -> None:
    original = Points(50, 48)
    assert original.lost_to(Points(49, 44)) == 4
    assert original.lost_to(Points(45, 47)) == 5
    assert original.lost_to(Points(49, None)) == 1
