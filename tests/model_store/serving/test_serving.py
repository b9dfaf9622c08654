"""Serving real models from a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model_store.serving.real_models import activation, add_model, places, request, serving_of
from vss.errors import ModelNotFound, ModelUnsupported, UnknownModel
from vss.metrics import Metrics
from vss.model_store.manifest import Manifest, SmokeSpec
from vss.model_store.serving.serving import Serving

WAIT_S = 60


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def serving(tmp_path: Path, metrics: Metrics) -> Iterator[Serving]:
    add_model(tmp_path, "gate", x=20)
    made = serving_of(tmp_path, metrics=metrics)
    yield made
    made.close()


def test_the_highest_version_serves_without_an_activation(tmp_path: Path, serving: Serving) -> None:
    add_model(tmp_path, "gate", x=40)
    serving.serve("gate", "detection")
    [future] = serving.submit([request()])
    served = future.result(WAIT_S)
    assert (served.name, served.version, served.cached, places(served)) == ("gate", "2", False, 40)


def test_an_activation_that_came_before_decides_what_is_loaded_first(tmp_path: Path, serving: Serving) -> None:
    add_model(tmp_path, "gate", x=40)
    assert serving.apply(activation("gate", "1"), given_up=False).result(WAIT_S).swapped
    assert serving.serve("gate", "detection").serving == "1"
    assert serving.submit([request()])[0].result(WAIT_S).version == "1"


def test_a_swap_takes_effect_between_two_batches(tmp_path: Path, serving: Serving, metrics: Metrics) -> None:
    serving.serve("gate", "detection")
    before = serving.submit([request() for _ in range(5)])
    add_model(tmp_path, "gate", x=40)
    result = serving.apply(activation("gate", "2", stable="1"), given_up=False).result(WAIT_S)
    after = serving.submit([request() for _ in range(5)])
    assert (result.swapped, result.serving) == (True, "2")
    assert [future.result(WAIT_S).version for future in before + after] == ["1"] * 5 + ["2"] * 5
    value = metrics.registry.get_sample_value
    assert value("vss_model_serving", {"model_name": "gate", "model_version": "2"}) == 1
    assert value("vss_model_serving", {"model_name": "gate", "model_version": "1"}) is None
    assert value("vss_models_loaded") == 1
    assert value("vss_model_unloads_total", {"model_name": "gate"}) == 1


def test_a_version_that_misses_its_smoke_input_leaves_the_old_one_serving(tmp_path: Path, metrics: Metrics) -> None:
    expecting = Manifest(smoke=SmokeSpec(expect=("dog",)))
    add_model(tmp_path, "gate", manifest=expecting)
    add_model(tmp_path, "gate", score=0.1, manifest=expecting)
    serving = serving_of(tmp_path, metrics=metrics)
    serving.serve("gate@1", "detection")
    serving.apply(activation("gate", "1"), given_up=False).result(WAIT_S)
    serving.serve("gate", "detection")
    result = serving.apply(activation("gate", "2", stable="1"), given_up=False).result(WAIT_S)
    assert (result.swapped, result.serving) == (False, "1")
    assert "does not find dog in its smoke input" in result.reason
    assert serving.submit([request()])[0].result(WAIT_S).version == "1"
    assert metrics.registry.get_sample_value("vss_models_loaded") == 1
    serving.close()


def test_a_header_chooses_the_model_and_a_pinned_version(tmp_path: Path, serving: Serving) -> None:
    add_model(tmp_path, "yard", x=30)
    add_model(tmp_path, "yard", x=31)
    serving.serve("gate", "detection")
    batch = [request(), request(model="yard"), request(model="yard@1"), request(model="gate")]
    served = [future.result(WAIT_S) for future in serving.submit(batch)]
    assert [(one.name, one.version, places(one)) for one in served] == [
        ("gate", "1", 20),
        ("yard", "2", 31),
        ("yard", "1", 30),
        ("gate", "1", 20),
    ]


@pytest.mark.parametrize("name", ["nobody", "gate@7", "gate@x", "../gate", "gate.onnx", "Gate", "", "a" * 5000])
def test_a_header_that_names_no_model_is_a_dead_letter(serving: Serving, name: str) -> None:
    serving.serve("gate", "detection")
    bad, good = serving.submit([request(model=name), request()])
    with pytest.raises(UnknownModel):
        bad.result(WAIT_S)
    assert good.result(WAIT_S).version == "1"


def test_a_model_of_another_task_is_refused(tmp_path: Path, serving: Serving) -> None:
    add_model(tmp_path, "birds", manifest=Manifest(task="classification"))
    serving.serve("gate", "detection")
    with pytest.raises(UnknownModel, match="is for classification, not for detection"):
        serving.submit([request(model="birds")])[0].result(WAIT_S)
    with pytest.raises(ModelUnsupported, match="is for classification, not for detection"):
        serving.serve("birds", "detection")


def test_a_model_that_is_not_there_is_refused_at_the_start(serving: Serving) -> None:
    with pytest.raises(ModelNotFound):
        serving.serve("nobody", "detection")


def test_a_file_outside_the_store_is_served_and_follows_no_activation(tmp_path: Path, serving: Serving) -> None:
    serving.serve(str(tmp_path / "gate.onnx"), "detection")
    serving.apply(activation("gate", "1"), given_up=False).result(WAIT_S)
    served = serving.submit([request()])[0].result(WAIT_S)
    assert served.name == "gate"
    assert len(served.version) == 12
