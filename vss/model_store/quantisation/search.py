"""Which recipes are tried, and in which order: what a round finds out decides what the next one tries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

from vss.model_store.quantisation.candidate import Candidate
from vss.model_store.quantisation.ranges import RangeMethod
from vss.model_store.quantisation.recipe import Recipe

# What everybody's guide says for CPUs without VNNI: the yardstick.
PLAIN: Final = Recipe("layers", "minmax", "reduced", corrected=False)
# How many of the most sensitive layers stay in fp32.
_KEPT: Final = (1, 3, 8)
_RANGES_PURSUED: Final = 2


def first_round() -> list[Recipe]:
    """The yardstick, and every way to choose ranges."""
    return [PLAIN, *(Recipe(ranges=method) for method in get_args(RangeMethod))]


def second_round(tried: Sequence[Candidate], ranking: Sequence[str], heads: Sequence[str]) -> list[Recipe]:
    """The best ways to choose ranges, with layers that stay in fp32.

    Args:
        tried: The first round.
        ranking: Layers, the most sensitive first.
        heads: The last layers, which are cheap and whose errors nothing evens out.
    """
    bodies = sorted((one for one in tried if one.recipe.scope == "body"), key=lambda one: one.lost)
    recipes = []
    for body in bodies[:_RANGES_PURSUED]:
        groups = [tuple(ranking[:count]) for count in _KEPT]
        groups.append(tuple(dict.fromkeys((*ranking[: _KEPT[0]], *heads))))
        recipes += [Recipe(ranges=body.recipe.ranges, kept=kept) for kept in groups if len(kept) < len(ranking)]
    return list(dict.fromkeys(recipes))
