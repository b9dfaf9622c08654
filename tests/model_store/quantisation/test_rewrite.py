from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

from tests.model_store.quantisation.conv_net import conv_net, inputs, write
from vss.model_store.quantisation.activations import Activations, observe
from vss.model_store.quantisation.graph import Graph, prepare
from vss.model_store.quantisation.recipe import Recipe
from vss.model_store.quantisation.rewrite import quantise
from vss.model_store.quantisation.sensitivity import rank_layers
from vss.model_store.quantisation.session import open_session

NET = conv_net(channels=32)
INPUTS = inputs(12)


@pytest.fixture
def observed(tmp_path: Path) -> tuple[Graph, Activations]:
    graph = prepare(write(NET, tmp_path / "net.onnx"))
    return graph, observe(graph, INPUTS, lambda: None)


def run(model: ModelProto) -> np.ndarray:
    """Logits of all pictures; shape (pictures, classes)."""
    session = open_session(model)
    return np.concatenate([session.run(None, {"images": one})[0] for one in INPUTS])


def noise(model: ModelProto) -> float:
    """Of the logits, as a share of how they differ from picture to picture."""
    reference = run(NET)
    return float(np.abs(run(model) - reference).mean() / reference.std(axis=0).mean())


def constants(model: ModelProto) -> dict[str, np.ndarray]:
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


@pytest.mark.parametrize("scope", ["layers", "body"])
@pytest.mark.parametrize("ranges", ["minmax", "percentile", "mse"])
def test_a_model_in_8_bits_says_nearly_the_same(observed: tuple[Graph, Activations], scope: Any, ranges: Any) -> None:
    assert noise(quantise(*observed, Recipe(scope, ranges))) < 0.1


def test_weights_are_signed_bytes_with_a_scale_a_channel(observed: tuple[Graph, Activations]) -> None:
    held = constants(quantise(*observed, Recipe()))
    assert held["second.w_quantized"].dtype == np.int8
    assert held["second.w_scale"].shape == (32,)
    assert held["first_zero_point"].dtype == np.uint8


def test_a_layer_that_is_kept_keeps_its_weights(observed: tuple[Graph, Activations]) -> None:
    held = constants(quantise(*observed, Recipe(kept=("second",))))
    assert held["second.w"].tobytes() == observed[0].weights["second.w"].tobytes()
    assert "head.w_quantized" in held


@pytest.mark.parametrize("scope", ["layers", "body"])
@pytest.mark.parametrize("activation", ["silu", "relu", "none"])
def test_a_layer_that_is_kept_is_not_quantised_by_the_runtime_either(
    tmp_path: Path, activation: str, scope: Any
) -> None:
    model = conv_net(channels=32, activation=activation)
    held = {one.name: one for one in model.graph.initializer}

    def change(name: str, place: Any, value: float) -> None:
        changed = numpy_helper.to_array(held[name]).copy()
        changed[place] = value
        held[name].CopyFrom(numpy_helper.from_array(changed, name))

    # A huge weight of an input that is always 0 changes nothing; one scale for all weights would leave them none.
    change("first.w", 0, 0.0)
    change("first.b", 0, 0.0)
    change("second.w", (0, 0), 1000.0)
    graph = prepare(write(model, tmp_path / "net.onnx"))
    activations = observe(graph, INPUTS, lambda: None)
    reference = run(model)
    spread = reference.std(axis=0).mean()
    assert np.abs(run(quantise(graph, activations, Recipe(scope, kept=("second",)))) - reference).mean() < 0.1 * spread


def test_no_steps_are_spent_where_silu_is_as_good_as_0(observed: tuple[Graph, Activations]) -> None:
    graph, activations = observed
    histogram = activations.histograms["first"]
    histogram.lowest = -100.0
    held = constants(quantise(graph, activations, Recipe()))
    assert held["first_scale"] * held["first_zero_point"].astype(float) == pytest.approx(6.0, abs=0.1)


def test_correcting_the_bias_takes_the_mean_error_of_coarse_weights_off(
    observed: tuple[Graph, Activations], monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse = _coarse(16)
    monkeypatch.setattr("vss.model_store.quantisation.rewrite.choose_scales", coarse)
    plain = run(quantise(*observed, Recipe(corrected=False))) - run(NET)
    corrected = run(quantise(*observed, Recipe(corrected=True))) - run(NET)
    assert np.abs(corrected.mean(axis=0)).mean() < 0.5 * np.abs(plain.mean(axis=0)).mean()


def test_the_layer_with_the_coarsest_weights_is_found_to_be_the_most_sensitive(
    observed: tuple[Graph, Activations], monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_second(weights: np.ndarray, method: Any) -> np.ndarray:
        return _coarse(3 if weights.shape == (32, 32, 3, 3) else 127)(weights, method)

    monkeypatch.setattr("vss.model_store.quantisation.rewrite.choose_scales", only_second)
    done: list[None] = []
    ranking = rank_layers(*observed, Recipe(), INPUTS[:2], lambda: done.append(None))
    assert ranking[0][0] == "second"
    assert ranking[0][1] > 10 * ranking[1][1]
    assert len(done) == len(ranking) == 3


def _coarse(steps: int) -> Callable[[np.ndarray, Any], np.ndarray]:
    def choose(weights: np.ndarray, _method: Any) -> np.ndarray:
        scales: np.ndarray = np.abs(weights).reshape(len(weights), -1).max(axis=1) / steps
        return scales.astype(np.float32)

    return choose
