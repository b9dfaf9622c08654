from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-torch")

from vss.errors import ConfigError
from vss.model_store.architectures.registry import find_architecture


def parameters(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_networks_for_cifar_have_the_paper_s_layers_and_parameters(depth: int, millions: float) -> None:
    """Table 6 of He et al., 2015."""
    network = find_architecture(f"resnet{depth}-cifar").build(10, ())
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == depth
    assert parameters(network) / 1e6 == pytest.approx(millions, abs=0.03 if depth == 110 else 0.006)


def test_a_network_for_cifar_takes_other_sizes_and_classes() -> None:
    network = find_architecture("resnet20-cifar").build(7, ()).eval()
    assert network(torch.zeros(2, 3, 64, 48)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "side"), [("resnet18", 224), ("efficientnet_b0", 224), ("efficientnet_b1", 240), ("inception_v3", 299)]
)
def test_torchvision_s_networks_are_known_by_their_name_and_size(name: str, side: int) -> None:
    architecture = find_architecture(name)
    assert architecture.side == side
    assert len(architecture.categories) == 1000
    names = {"AuxLogits.fc.weight"} if name == "inception_v3" else set[str]()
    network = architecture.build(5, names).eval()
    assert network(torch.zeros(1, 3, side, side)).shape == (1, 5)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_classifiers_that_serve_training_are_built_where_the_weights_have_them(name: str) -> None:
    architecture = find_architecture(name)
    assert not [key for key in architecture.build(5, ()).state_dict() if key.lower().startswith("aux")]
    assert [key for key in architecture.build(5, ["AuxLogits.x", "aux1.x"]).state_dict() if key.lower()[:3] == "aux"]


@pytest.mark.parametrize(
    ("name", "near"),
    [("resnet19", "resnet18"), ("efficientnet-b0", "efficientnet_b0"), ("resnet20cifar", "resnet20-cifar")],
)
def test_an_unknown_architecture_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ConfigError, match="unknown architecture") as raised:
        find_architecture(name)
    assert raised.value.fix == f"did you mean {near}?"
