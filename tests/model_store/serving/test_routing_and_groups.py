"""Which model a record goes to, in how large groups, and what a failure touches."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.model_store.serving.fakes import make_rig
from tests.model_store.serving.real_models import request
from vss.errors import InferenceFailed, ModelCorrupt, StoreUnavailable, UnknownModel


def test_the_header_comes_before_the_key_and_the_key_before_the_default(tmp_path: Path) -> None:
    rig = make_rig(
        {"gate": ["1"], "night": ["1"], "yard": ["1"]},
        routes={"night-*": "night", "night-7": "yard"},
    )
    rig.serving.serve("gate", "detection")
    assert rig.store.open_now() == ["gate@1", "night@1", "yard@1"]
    batch = [request("a"), request("night-7"), request("night-7", model="gate"), request("x", model="yard")]
    futures = rig.serving.submit(batch)
    rig.store.finish_all()
    assert [future.result().name for future in futures] == ["gate", "night", "gate", "yard"]


def test_headers_are_passed_over_where_the_settings_say_so(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"], "yard": ["1"]}, route_by_header=False)
    rig.serving.serve("gate", "detection")
    [future] = rig.serving.submit([request(model="yard")])
    rig.store.finish_all()
    assert future.result().name == "gate"


def test_routes_are_for_the_first_task_only(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"], "kinds": ["1"]}, routes={"x*": "gate"})
    rig.store.tasks["kinds"] = "classification"
    rig.serving.serve("gate", "detection")
    rig.serving.serve("kinds", "classification")
    crop = replace(request("x1"), task="classification")
    futures = rig.serving.submit([crop, request("x1")])
    rig.store.finish_all()
    assert [future.result().name for future in futures] == ["kinds", "gate"]


def test_a_batch_is_grouped_by_model_in_groups_of_at_most_max_group(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"], "yard": ["1"]}, max_group=4)
    rig.serving.serve("gate", "detection")
    rig.serving.serve("yard", "detection")
    rig.serving.submit([request(model=None if i % 3 else "yard") for i in range(15)])
    assert rig.store.runner("gate@1").calls == [4, 4, 2]
    assert rig.store.runner("yard@1").calls == [4, 1]
    rig.store.finish_all()


def test_a_failing_model_touches_no_other_records(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"], "yard": ["1"]}, max_group=2)
    rig.serving.serve("gate", "detection")
    rig.serving.serve("yard", "detection")
    futures = rig.serving.submit([request(), request(model="yard"), request(), request(), request(model="nobody")])
    rig.store.runner("yard@1").finish(error=InferenceFailed("boom"))
    rig.store.runner("gate@1").finish()
    assert [type(future.exception()) for future in futures] == [
        type(None),
        InferenceFailed,
        type(None),
        type(None),
        UnknownModel,
    ]


def test_a_model_that_still_loads_holds_back_only_its_own_records(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"], "yard": ["1"]})
    rig.serving.serve("gate", "detection")
    rig.loads.inline = False
    first = rig.serving.submit([request(), request(model="yard")])
    second = rig.serving.submit([request(model="yard"), request()])
    rig.store.finish_all()
    assert [future.done() for future in first + second] == [True, False, False, True]
    rig.loads.run_all()
    assert rig.store.runner("yard@1").calls == [2], "both wait for one load, and share a call"
    rig.store.finish_all()
    assert [future.result().name for future in first + second] == ["gate", "yard", "yard", "gate"]
    assert rig.store.looks.count("yard@latest") == 1


def test_a_record_that_is_cancelled_while_its_model_loads_is_not_looked_at(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"], "yard": ["1"]})
    rig.serving.serve("gate", "detection")
    rig.loads.inline = False
    gone, kept = rig.serving.submit([request(model="yard"), request(model="yard")])
    assert gone.cancel()
    rig.loads.run_all()
    assert rig.store.runner("yard@1").calls == [1]
    rig.store.finish_all()
    assert kept.result().name == "yard"


def test_a_cancelled_record_leaves_its_model_as_soon_as_the_runner_lets_it_go(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"]})
    rig.serving.serve("gate", "detection")
    gone, kept = rig.serving.submit([request(), request()])
    assert gone.cancel()
    assert gone.cancelled()
    rig.store.finish_all()
    assert kept.result().name == "gate"
    rig.serving.close()  # and the runner was idle: the fake says so otherwise
    assert rig.store.open_now() == []


def test_names_that_nobody_has_cost_the_store_one_look_in_thirty_seconds(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"], "bad": ["1"]})
    rig.store.errors["bad@1"] = [ModelCorrupt("not what was stored")] * 9
    rig.serving.serve("gate", "detection")
    for _ in range(5):
        [future] = rig.serving.submit([request(model="bad")])
        with pytest.raises(UnknownModel, match="not what was stored"):
            future.result(0)
        rig.clock.advance(5.9)
    assert rig.store.looks.count("bad@latest") == 1
    rig.clock.advance(1)
    rig.serving.submit([request(model="bad")])
    assert rig.store.looks.count("bad@latest") == 2


def test_many_nonsense_names_take_no_memory_without_end(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"]})
    rig.serving.serve("gate", "detection")
    for i in range(3000):
        [future] = rig.serving.submit([request(model=f"nobody-{i}")])
        assert isinstance(future.exception(0), UnknownModel)
    assert len(rig.serving._dealer._refusals._refused) == 1024
    assert rig.value("vss_model_loads_total", model_name="nobody-7", result="failed") is None


def test_a_store_that_is_away_makes_records_wait_and_not_die(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"], "yard": ["1"]}, load_attempts=2)
    rig.serving.serve("gate", "detection")
    rig.store.errors["yard@1"] = [StoreUnavailable("away")] * 2
    waits, goes_on = rig.serving.submit([request(model="yard"), request()])
    with pytest.raises(StoreUnavailable):
        waits.result(0)
    [again] = rig.serving.submit([request(model="yard")])
    rig.store.finish_all()
    assert (again.result().name, goes_on.result().name) == ("yard", "gate")


def test_a_worker_that_stops_leaves_no_record_without_an_answer(tmp_path: Path) -> None:
    rig = make_rig({"gate": ["1"], "yard": ["1"]})
    rig.serving.serve("gate", "detection")
    rig.loads.inline = False
    [future] = rig.serving.submit([request(model="yard")])
    rig.serving.close()
    assert isinstance(future.exception(0), StoreUnavailable)
