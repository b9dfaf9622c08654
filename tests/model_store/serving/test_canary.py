"""Canaries: who is asked, who judges, and what happens to one that breaks its limits."""

from pathlib import Path

import pytest

from tests.model_store.serving.fakes import Rig, make_rig
from tests.model_store.serving.real_models import activation, request
from vss.codecs.canary import on_canary
from vss.errors import InferenceFailed, InferenceTimedOut, ModelCorrupt, UndecodableImage
from vss.model_store.serving.judge import Judge, Judgement
from vss.model_store.serving.serving import Breach
from vss.schemas.models import ServingLimits

KEYS = [f"cam-{i}" for i in range(40)]
LIMITS = ServingLimits(max_error_rate=0.1, max_p95_ms=50, min_requests=20)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = make_rig({"gate": ["1", "2", "3"]})
    made.serving.apply(activation("gate", "1"), given_up=False)
    made.serving.serve("gate", "detection")
    return made


def versions(rig: Rig, keys: list[str] = KEYS) -> dict[str, str]:
    futures = rig.serving.submit([request(key) for key in keys])
    rig.store.finish_all()
    return {key: future.result(0).version for key, future in zip(keys, futures, strict=True)}


def ask_candidate(rig: Rig, records: int, *, call_s: float = 0.01, error: Exception | None = None) -> None:
    """Has the candidate, version 2, asked so often; all others are answered at once."""
    keys = [f"k{i}" for i in range(100 * records)]
    mine = [key for key in keys if on_canary("gate", key.encode(), 10)][:records]
    rig.serving.submit([request(key) for key in mine])
    for runner in list(rig.store.runners):
        runner.finish(call_s=call_s, error=error)


def canary(percent: int = 10, limits: ServingLimits | None = LIMITS, **kwargs: str) -> object:
    return activation("gate", "2", stable="1", percent=percent, limits=limits, **kwargs)


def test_a_canary_serves_its_share_of_the_keys_and_always_the_same(rig: Rig) -> None:
    rig.serving.apply(activation("gate", "2", stable="1", percent=30), given_up=False)
    first = versions(rig)
    assert first == {key: "2" if on_canary("gate", key.encode(), 30) else "1" for key in KEYS}
    assert set(first.values()) == {"1", "2"}
    assert versions(rig) == first
    assert rig.value("vss_model_serving", model_name="gate", model_version="2") == pytest.approx(0.3)
    assert rig.value("vss_model_serving", model_name="gate", model_version="1") == pytest.approx(0.7)
    assert rig.store.open_now() == ["gate@1", "gate@2"]


def test_a_canary_that_is_raised_keeps_the_keys_it_had(rig: Rig) -> None:
    rig.serving.apply(activation("gate", "2", stable="1", percent=30), given_up=False)
    before = versions(rig)
    rig.serving.apply(activation("gate", "2", stable="1", percent=60), given_up=False)
    after = versions(rig)
    assert all(after[key] == "2" for key, version in before.items() if version == "2")
    rig.serving.apply(activation("gate", "2", stable="1"), given_up=False)
    assert set(versions(rig).values()) == {"2"}
    assert rig.store.open_now() == ["gate@2"]


@pytest.mark.parametrize("percent", [10, 100])
@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"error": InferenceFailed("x")}, "100.0% of the last 20 records failed, the limit is 10.0%"),
        ({"error": InferenceTimedOut("x")}, "100.0% of the last 20 records failed, the limit is 10.0%"),
        ({"call_s": 0.06}, "the 95th percentile of a call is 60.0 ms, the limit is 50 ms"),
    ],
    ids=["errors", "timeouts", "slow"],
)
def test_a_candidate_that_breaks_its_limits_goes_at_once_and_is_told_of_once(
    rig: Rig, percent: int, seen: dict[str, object], reason: str
) -> None:
    breaches: list[Breach] = []
    rig.serving.on_breach = breaches.append
    asked = canary(percent)
    rig.serving.apply(asked, given_up=False)  # type: ignore[arg-type]
    ask_candidate(rig, 19, **seen)  # type: ignore[arg-type]
    assert breaches == []
    ask_candidate(rig, 1, **seen)  # type: ignore[arg-type]
    assert breaches == [Breach(asked, reason)]  # type: ignore[arg-type]
    assert set(versions(rig).values()) == {"1"}
    ask_candidate(rig, 30, **seen)  # type: ignore[arg-type]
    assert len(breaches) == 1
    assert rig.store.open_now() == ["gate@1"]
    assert rig.value("vss_model_serving", model_name="gate", model_version="1") == 1


def test_records_at_work_in_a_candidate_that_goes_are_answered_by_it(rig: Rig) -> None:
    rig.serving.apply(canary(100), given_up=False)  # type: ignore[arg-type]
    late = rig.serving.submit([request("late")])
    candidate = rig.store.runner("gate@2")
    [its_future], candidate.pending = candidate.pending, []
    ask_candidate(rig, 20, error=InferenceFailed("x"))
    assert not candidate.closed, "a record is at work in it"
    its_future.set_result(candidate.answer())
    assert late[0].result(0).version == "2"
    assert candidate.closed


def test_late_answers_of_a_candidate_end_no_other_activation(rig: Rig) -> None:
    breaches: list[Breach] = []
    rig.serving.on_breach = breaches.append
    rig.serving.apply(canary(100), given_up=False)  # type: ignore[arg-type]
    rig.serving.submit([request(f"late-{i}") for i in range(30)])
    rig.serving.apply(activation("gate", "3", stable="2"), given_up=False)
    rig.store.runner("gate@2").finish(error=InferenceFailed("x"))
    assert breaches == []
    assert set(versions(rig).values()) == {"3"}
    assert rig.store.open_now() == ["gate@3"]


def test_a_candidate_that_goes_while_another_version_loads_leaves_nothing_behind(rig: Rig) -> None:
    rig.serving.apply(canary(100), given_up=False)  # type: ignore[arg-type]
    rig.store.broken["gate@3"] = RuntimeError("no kernel")
    rig.store.meanwhile = lambda: ask_candidate(rig, 20, error=InferenceFailed("x"))
    result = rig.serving.apply(activation("gate", "3", stable="1"), given_up=False).result(0)
    assert (result.swapped, result.serving, rig.store.open_now()) == (False, "1", ["gate@1"])
    assert set(versions(rig).values()) == {"1"}


def test_an_activation_that_was_judged_here_is_not_tried_again(rig: Rig) -> None:
    breaches: list[Breach] = []
    rig.serving.on_breach = breaches.append
    rig.serving.apply(canary(), given_up=False)  # type: ignore[arg-type]
    ask_candidate(rig, 20, error=InferenceFailed("x"))
    result = rig.serving.apply(canary(), given_up=False).result(0)  # type: ignore[arg-type]
    assert (result.swapped, result.serving) == (True, "1")
    assert set(versions(rig).values()) == {"1"}
    rig.serving.apply(canary(id="another try"), given_up=False)  # type: ignore[arg-type]
    assert set(versions(rig).values()) == {"1", "2"}


def test_a_verdict_of_another_worker_ends_a_canary_here(rig: Rig) -> None:
    rig.serving.apply(canary(50), given_up=False)  # type: ignore[arg-type]
    assert set(versions(rig).values()) == {"1", "2"}
    result = rig.serving.apply(canary(50), given_up=True).result(0)  # type: ignore[arg-type]
    assert (result.swapped, result.serving) == (True, "1")
    assert set(versions(rig).values()) == {"1"}
    assert rig.store.open_now() == ["gate@1"]


def test_bad_pictures_are_no_fault_of_the_candidate(rig: Rig) -> None:
    breaches: list[Breach] = []
    rig.serving.on_breach = breaches.append
    rig.serving.apply(canary(), given_up=False)  # type: ignore[arg-type]
    ask_candidate(rig, 200, error=UndecodableImage("x"))
    assert breaches == []


def test_the_version_before_stays_loaded_until_the_new_one_has_kept_its_limits_for_long(rig: Rig) -> None:
    assert rig.serving.apply(canary(100), given_up=False).result(0).serving == "2"  # type: ignore[arg-type]
    ask_candidate(rig, 199)
    assert rig.store.open_now() == ["gate@1", "gate@2"]
    ask_candidate(rig, 1)
    assert rig.store.open_now() == ["gate@2"]
    assert set(versions(rig).values()) == {"2"}
    # The same activation again changes nothing.
    assert rig.serving.apply(canary(100), given_up=False).result(0).serving == "2"  # type: ignore[arg-type]
    assert rig.store.open_now() == ["gate@2"]


def test_a_pinned_version_is_not_judged_and_follows_nothing(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1", "2"]})
    rig.serving.serve("gate@1", "detection")
    rig.serving.apply(activation("gate", "2", stable="1"), given_up=False)
    assert set(versions(rig).values()) == {"1"}


def test_a_canary_that_cannot_be_loaded_is_refused_and_stable_serves_all(rig: Rig) -> None:
    rig.store.errors["gate@2"] = [ModelCorrupt("not what was stored")]
    result = rig.serving.apply(canary(), given_up=False).result(0)  # type: ignore[arg-type]
    assert (result.swapped, result.serving, result.reason) == (False, "1", "not what was stored")
    assert set(versions(rig).values()) == {"1"}
    assert rig.store.open_now() == ["gate@1"]


def test_a_version_that_does_not_fit_beside_the_one_that_serves_is_refused() -> None:
    rig = make_rig({"gate": ["1", "2"]}, max_loaded=1)
    rig.serving.serve("gate@1", "detection")
    rig.serving.apply(activation("gate", "1"), given_up=False)
    rig.serving.serve("gate", "detection")
    result = rig.serving.apply(activation("gate", "2", stable="1"), given_up=False).result(0)
    assert (result.swapped, result.serving) == (False, "1")
    assert "1 models are held, as many as may be" in result.reason
    assert len(rig.store.runners) == 1
    assert rig.store.open_now() == ["gate@1"]


def test_a_canary_does_not_unload_its_own_stable_version_at_the_start() -> None:
    rig = make_rig({"gate": ["1", "2"]}, max_loaded=1)
    rig.serving.apply(canary(50), given_up=False)  # type: ignore[arg-type]
    result = rig.serving.serve("gate", "detection")
    assert (result.swapped, result.serving) == (False, "1")
    assert set(versions(rig).values()) == {"1"}
    assert len(rig.store.runners) == 1


def test_a_worker_that_starts_during_a_canary_loads_both(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1", "2", "3"]})
    rig.serving.apply(activation("gate", "2", stable="1", percent=30), given_up=False)
    assert rig.store.open_now() == []
    assert rig.serving.serve("gate", "detection").serving == "1"
    assert rig.store.open_now() == ["gate@1", "gate@2"]


def test_a_worker_that_starts_with_a_broken_active_version_serves_the_stable_one_and_says_so(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1", "2"]})
    rig.store.errors["gate@2"] = [ModelCorrupt("not what was stored")]
    rig.serving.apply(activation("gate", "2", stable="1"), given_up=False)
    result = rig.serving.serve("gate", "detection")
    assert (result.swapped, result.serving, result.reason) == (False, "1", "not what was stored")
    assert set(versions(rig).values()) == {"1"}


def test_a_stable_version_that_is_gone_is_replaced_by_the_one_that_serves(rig: Rig) -> None:
    asked = activation("gate", "3", stable="2", percent=50)
    rig.store.errors["gate@2"] = [ModelCorrupt("gone")]
    assert rig.serving.apply(asked, given_up=False).result(0).swapped
    assert set(versions(rig).values()) == {"1", "3"}


# The judge alone.


def test_a_judge_waits_for_enough_records() -> None:
    judge = Judge(ServingLimits(max_error_rate=0.5, min_requests=3))
    assert [judge.failed() for _ in range(4)] == [Judgement.OPEN, Judgement.OPEN, Judgement.BROKEN, Judgement.OPEN]


def test_a_judge_forgets_what_is_long_ago() -> None:
    judge = Judge(ServingLimits(max_error_rate=0.05, max_p95_ms=100, min_requests=10))
    for _ in range(5000):
        assert judge.answered(0.01) is Judgement.OPEN
    seen = [judge.failed() for _ in range(51)]
    assert seen[:50] == [Judgement.OPEN] * 50
    assert seen[50] is Judgement.BROKEN
    assert judge.reason == "5.1% of the last 1000 records failed, the limit is 5.0%"


def test_the_95th_percentile_is_that_of_the_window() -> None:
    judge = Judge(ServingLimits(max_p95_ms=100, min_requests=100))
    for i in range(100):
        assert judge.answered(0.2 if i < 5 else 0.01) is Judgement.OPEN
    for _ in range(900):
        assert judge.answered(0.01) is Judgement.OPEN
    seen = [judge.answered(0.2) for _ in range(60)]
    # 5 old ones leave the window as the first 5 come; 51 of 1,000 are more than a twentieth.
    assert seen.index(Judgement.BROKEN) == 50
    assert "200.0 ms" in judge.reason


def test_nobody_with_limits_of_none_is_ever_broken() -> None:
    judge = Judge(ServingLimits(min_requests=1), settles=True)
    assert [judge.failed() for _ in range(10)] == [Judgement.OPEN] * 9 + [Judgement.PASSED]
