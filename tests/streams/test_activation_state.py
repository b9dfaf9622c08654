from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.streams.activation_records import TIME, activation, verdict
from vss.codecs.canary import on_canary
from vss.errors import ConfigError
from vss.schemas.models import MAX_HISTORY, ModelActivation, ModelVerdict, ServingLimits
from vss.streams.activation_state import Activations, ActivationState, Order, next_activation, rollback_activation

LIMITS = ServingLimits(max_error_rate=0.1)


def order(version: str, percent: int = 100, limits: ServingLimits | None = None) -> Order:
    return Order(
        id=f"o{version}-{percent}", name="gate", version=version, percent=percent, limits=limits, timestamp=TIME
    )


def rolled_back(state: ActivationState | None) -> ModelActivation:
    return rollback_activation(state, activation_id="r", name="gate", reason="", timestamp=TIME)


def after(*steps: tuple[str, int] | str) -> ActivationState:
    """The state after orders (`(version, percent)`), rollbacks (`back`) and verdicts on what is active (`broke`)."""
    state: ActivationState | None = None
    for step in steps:
        if step == "broke":
            assert state is not None
            state = ActivationState(state.activation, verdict(state.activation.id))
        elif step == "back":
            state = ActivationState(rolled_back(state))
        else:
            state = ActivationState(next_activation(state, order(step[0], int(step[1]))))
    assert state is not None
    return state


def test_the_first_activation_has_nothing_to_go_back_to() -> None:
    first = next_activation(None, order("3"))
    assert (first.version, first.percent, first.stable, first.history) == ("3", 100, None, ())
    with pytest.raises(ConfigError, match="first version that was activated"):
        rolled_back(ActivationState(first))
    with pytest.raises(ConfigError, match="no version of gate was activated"):
        rolled_back(None)


def test_a_canary_needs_another_version_beside_it() -> None:
    with pytest.raises(ConfigError, match="none would serve the other keys"):
        next_activation(None, order("3", 10))
    with pytest.raises(ConfigError, match="its own canary"):
        next_activation(after(("3", 100)), order("3", 10))


def test_limits_need_a_version_to_go_back_to() -> None:
    with pytest.raises(ConfigError, match="no version of gate to go back to"):
        next_activation(None, order("3", limits=LIMITS))
    assert next_activation(after(("3", 100)), order("4", limits=LIMITS)).stable == "3"


@pytest.mark.parametrize(
    ("steps", "version", "percent", "history"),
    [
        ([("1", 100), ("2", 100), ("3", 100)], "3", 100, ("2", "1")),
        ([("1", 100), ("2", 10)], "2", 10, ("1",)),
        # A canary is promoted, grown, or replaced: what served beside it stays what it falls back to.
        ([("1", 100), ("2", 10), ("2", 100)], "2", 100, ("1",)),
        ([("1", 100), ("2", 10), ("2", 50)], "2", 50, ("1",)),
        ([("1", 100), ("2", 10), ("3", 100)], "3", 100, ("1",)),
        ([("1", 100), ("2", 10), "back"], "1", 100, ()),
        # What broke its limits never served all keys for good.
        ([("1", 100), ("2", 100), "broke", ("3", 100)], "3", 100, ("1",)),
        ([("1", 100), ("2", 10), "broke", ("3", 20)], "3", 20, ("1",)),
        ([("1", 100), ("2", 100), ("3", 100), "broke", "back"], "2", 100, ("1",)),
        # Back and forth.
        ([("1", 100), ("2", 100), ("3", 100), "back", "back"], "1", 100, ()),
        ([("1", 100), ("2", 100), "back", ("2", 100)], "2", 100, ("1",)),
        ([("1", 100), ("2", 100), ("1", 100)], "1", 100, ("2",)),
        ([("1", 100), ("2", 100), ("2", 100)], "2", 100, ("1",)),
    ],
)
def test_what_an_activation_falls_back_to(
    steps: list[tuple[str, int] | str], version: str, percent: int, history: tuple[str, ...]
) -> None:
    found = after(*steps).activation
    assert (found.version, found.percent, found.history) == (version, percent, history)
    if steps[-1] != "back":
        assert found.stable == (history[0] if history else None)


@pytest.mark.parametrize(
    ("steps", "version", "otherwise"),
    [
        ((("1", 100), ("2", 100)), "1", "2"),  # what was left can still be loaded
        ((("1", 100), ("2", 100), ("3", 100)), "2", "3"),
        ((("1", 100), ("2", 100), ("3", 10)), "2", "1"),  # but nobody goes back to a canary
        ((("1", 100), ("2", 100), "broke"), "1", None),  # or to what broke its limits
    ],
)
def test_a_rollback_falls_back_to_the_version_that_was_left(
    steps: tuple[tuple[str, int] | str, ...], version: str, otherwise: str | None
) -> None:
    back = rolled_back(after(*steps))
    assert (back.version, back.stable) == (version, otherwise)


def test_a_history_is_bounded() -> None:
    state = after(*((str(i), 100) for i in range(30)))
    assert state.activation.history == tuple(str(i) for i in range(28, 28 - MAX_HISTORY, -1))


STEPS = st.lists(
    st.one_of(st.tuples(st.sampled_from("12345"), st.sampled_from([5, 50, 100])), st.sampled_from(["back", "broke"])),
    max_size=20,
)


@given(STEPS)
def test_whatever_operators_do_there_is_always_another_version_to_fall_back_to(
    steps: list[tuple[str, int] | str],
) -> None:
    state: ActivationState | None = None
    for step in steps:
        left = state.serving if state is not None and step == "back" else None
        try:
            if step == "broke":
                if state is not None and state.activation.stable is not None:
                    state = ActivationState(state.activation, verdict(state.activation.id))
            elif step == "back":
                state = ActivationState(rolled_back(state))
            else:
                state = ActivationState(next_activation(state, order(step[0], int(step[1]))))
        except ConfigError:
            continue
        if state is not None:
            found = state.activation
            assert found.version not in found.history
            assert len(set(found.history)) == len(found.history) <= MAX_HISTORY
            if step != "broke":
                before = found.history[0] if found.history else None
                assert found.stable == (left if left not in (None, found.version) else before)
            assert found.stable != found.version
            assert state.serving is not None
            if state.is_canary:
                assert found.stable is not None


NAMES = st.sampled_from(["gate", "yard"])
ACTIVATIONS = st.lists(
    st.builds(
        lambda n, name, percent: activation(f"a{n}", name=name, percent=percent),
        st.integers(0, 5),
        NAMES,
        st.sampled_from([10, 100]),
    ),
    max_size=8,
    unique_by=lambda a: a.id,
)
VERDICTS = st.lists(st.builds(lambda n, name: verdict(f"a{n}", name=name), st.integers(0, 5), NAMES), max_size=8)


def fold(records: Sequence[ModelActivation | ModelVerdict]) -> tuple[Activations, dict[str, ActivationState]]:
    """All of it, and what a follower was told on the way."""
    known, told = Activations(), {}
    for record in records:
        state = known.activate(record) if isinstance(record, ModelActivation) else known.give_up(record)
        if state is not None:
            told[state.activation.name] = state
    return known, told


@given(ACTIVATIONS, VERDICTS, st.randoms(use_true_random=False))
def test_however_two_topics_interleave_all_followers_end_in_one_state(
    activations: list[ModelActivation], verdicts: list[ModelVerdict], random: object
) -> None:
    interleaved: list[ModelActivation | ModelVerdict] = []
    left: list[list[ModelActivation | ModelVerdict]] = [list(activations), list(verdicts)]
    while any(left):
        queue = random.choice([q for q in left if q])  # type: ignore[attr-defined]
        interleaved.append(queue.pop(0))
    expected, _ = fold([*activations, *verdicts])
    found, told = fold(interleaved)
    assert found.states() == expected.states()
    # What a follower heard last of a model is how it stands, but for a verdict that was repeated.
    states = found.states()
    assert told.keys() == states.keys()
    assert all(told[n].activation == states[n].activation and told[n].given_up == states[n].given_up for n in told)


@given(ACTIVATIONS, VERDICTS)
def test_whoever_starts_after_compaction_ends_where_the_others_are(
    activations: list[ModelActivation], verdicts: list[ModelVerdict]
) -> None:
    whole, _ = fold([*activations, *verdicts])
    compacted, _ = fold([*{a.name: a for a in activations}.values(), *{v.activation_id: v for v in verdicts}.values()])
    assert compacted.states() == whole.states()


def test_a_verdict_counts_only_for_its_own_activation() -> None:
    known = Activations()
    known.activate(activation("a1"))
    assert known.give_up(verdict("a0")) is None
    state = known.give_up(verdict("a1"))
    assert state is not None
    assert (state.given_up, state.serving) == (True, "1")
    assert known.give_up(verdict("a1")) is None, "a second worker's verdict changes nothing"
    later = known.activate(activation("a2", version="3"))
    assert (later.given_up, later.serving) == (False, "3")


def test_verdicts_are_bounded_and_that_of_what_is_active_is_kept() -> None:
    known = Activations()
    known.activate(activation("a1"))
    known.give_up(verdict("a1"))
    for i in range(3000):
        known.give_up(verdict(f"old-{i}"))
    assert known.states()["gate"].given_up
    assert len(known._verdicts) <= 1024


@given(st.binary(max_size=40), st.integers(1, 99), st.integers(1, 99))
def test_a_key_of_a_small_canary_is_in_every_larger_one(key: bytes, one: int, other: int) -> None:
    if on_canary("gate", key, min(one, other)):
        assert on_canary("gate", key, max(one, other))


def test_a_canary_serves_about_its_share_of_the_keys_and_each_model_has_its_own() -> None:
    keys = [f"camera-{i}".encode() for i in range(4000)]
    sides = {name: [on_canary(name, key, 25) for key in keys] for name in ("gate", "yard")}
    for chosen in sides.values():
        assert 0.22 < sum(chosen) / len(keys) < 0.28
    both = sum(a and b for a, b in zip(sides["gate"], sides["yard"], strict=True))
    assert both < len(keys) / 8
    assert not any(on_canary("gate", key, 0) for key in keys)
    assert all(on_canary("gate", key, 100) for key in keys)
