"""How a model is quantised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from vss.model_store.quantisation.ranges import RangeMethod
from vss.model_store.quantisation.weights import WeightMethod

Scope = Literal["layers", "body"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is quantised.

    Attributes:
        scope: `layers` quantises convolutions and matrix products alone, `body` also what lies between them, so that
            8 bits flow from one layer to the next.
        ranges: How the range of an activation is chosen.
        weights: How many steps a weight may use.
        kept: Names of the layers that stay in fp32.
        corrected: Whether the mean error that rounded weights give a channel is taken off its bias.
    """

    scope: Scope = "body"
    ranges: RangeMethod = "minmax"
    weights: WeightMethod = "paired"
    kept: tuple[str, ...] = ()
    corrected: bool = True

    def document(self) -> dict[str, Any]:
        """For machines."""
        return {
            "scope": self.scope,
            "ranges": self.ranges,
            "weights": self.weights,
            "fp32_layers": list(self.kept),
            "bias_corrected": self.corrected,
        }
