"""Keeps the pictures that two versions differ in most, as the pictures go by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vss.codecs.images import Image
from vss.model_store.comparison.difference import Difference

# Frames that follow one another are nearly the same picture, and ten times the same mistake.
_NEIGHBOURS: Final = 10
_Rank = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture is from.

    Attributes:
        source: Path of a file, or partition and key of a topic.
        number: Of the picture there; None where the source is one picture.
    """

    source: str
    number: int | None = None

    def __str__(self) -> str:
        return self.source if self.number is None else f"{self.source} #{self.number}"


@dataclass(frozen=True, slots=True)
class Example:
    """One picture and what both versions say about it.

    Attributes:
        place: Where it is from.
        image: Its pixels, at their full size.
        a: Result of version A; None where it failed.
        b: Result of version B; None where it failed.
        difference: Of the two.
    """

    place: Place
    image: Image
    a: Any
    b: Any
    difference: Difference


class WorstExamples:
    """The worst so many of all pictures that were offered, of neighbours in a video the worst; holds never more.

    Args:
        most: How many are kept.
        smallest_delta: A picture with the same findings on both sides is of interest from this Δ of confidence on.
    """

    def __init__(self, most: int, *, smallest_delta: float = 0.1) -> None:
        self._most = most
        self._smallest_delta = smallest_delta
        self._added = 0
        self._kept: dict[tuple[str, int], tuple[_Rank, Example]] = {}

    def wants(self, place: Place, difference: Difference) -> bool:
        """Whether a picture is among the worst so far, so that its pixels are worth getting."""
        if self._most < 1 or not (difference.differing or difference.largest_delta >= self._smallest_delta):
            return False
        rank = self._rank(difference)
        neighbour = self._kept.get(_neighbourhood(place))
        if neighbour is not None:
            return neighbour[0] < rank
        return len(self._kept) < self._most or min(kept for kept, _ in self._kept.values()) < rank

    def add(self, example: Example) -> None:
        """Takes a picture that is wanted."""
        self._kept[_neighbourhood(example.place)] = self._rank(example.difference), example
        self._added += 1
        if len(self._kept) > self._most:
            del self._kept[min(self._kept, key=lambda at: self._kept[at][0])]

    def worst_first(self) -> list[Example]:
        """What was kept."""
        return [example for _, example in sorted(self._kept.values(), key=lambda kept: kept[0], reverse=True)]

    def _rank(self, difference: Difference) -> _Rank:
        # By what an operator would have to look at; of equals the one where that is the larger share, then the first.
        return (difference.differing, 1 - difference.agreement, difference.largest_delta, -self._added)


def _neighbourhood(place: Place) -> tuple[str, int]:
    return place.source, (place.number or 0) // _NEIGHBOURS
