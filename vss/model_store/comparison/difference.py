"""In what two answers to one picture differ, counted alike for all tasks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """What version A and version B say about one picture, beside each other.

    What is counted are findings: the boxes of a detection; of a classification its first class; of a task of one's own
    its whole result. A finding that differs is missed (B lacks A's) and extra (A lacks B's).

    Attributes:
        matched: Findings of both.
        missed: Places of A's findings that B lacks.
        extra: Places of B's findings that A lacks.
        deltas: B's confidence less A's, of each matched finding that has one.
    """

    matched: int
    missed: tuple[int, ...] = ()
    extra: tuple[int, ...] = ()
    deltas: tuple[float, ...] = ()

    @property
    def differing(self) -> int:
        """Findings that only one version has."""
        return len(self.missed) + len(self.extra)

    @property
    def agreement(self) -> float:
        """0..1 of this picture (see `agreement`)."""
        return agreement(self.matched, self.differing)

    @property
    def largest_delta(self) -> float:
        """How far the confidences of one finding lie apart at most, 0..1."""
        return max(map(abs, self.deltas), default=0.0)


def agreement(matched: int, differing: int) -> float:
    """2 · matched / (findings of A + findings of B), 0..1; 1 where there are none.

    That is the F1 score of either version measured against the other, the harmonic mean of the share of A's findings
    that B has and the share of B's that A has; it is the same whichever is which.
    https://en.wikipedia.org/wiki/Dice-S%C3%B8rensen_coefficient

    Args:
        matched: Findings of both.
        differing: Findings that only one has.
    """
    findings = 2 * matched + differing
    return 2 * matched / findings if findings else 1.0


class Tally:
    """The differences of many pictures added up.

    Attributes:
        pictures: How many.
        identical: Those with the same findings on both sides.
        matched: Findings of both.
        missed: Findings of A that B lacks.
        extra: Findings of B that A lacks.
        largest_delta: How far the confidences of one finding lie apart at most, 0..1.
    """

    def __init__(self) -> None:
        self.pictures = self.identical = self.matched = self.missed = self.extra = 0
        self.largest_delta = 0.0
        self._deltas = 0
        self._delta_sum = self._distance_sum = 0.0

    def add(self, difference: Difference) -> None:
        """Adds a picture."""
        self.pictures += 1
        self.identical += difference.differing == 0
        self.matched += difference.matched
        self.missed += len(difference.missed)
        self.extra += len(difference.extra)
        self.largest_delta = max(self.largest_delta, difference.largest_delta)
        self._deltas += len(difference.deltas)
        self._delta_sum += sum(difference.deltas)
        self._distance_sum += sum(map(abs, difference.deltas))

    @property
    def agreement(self) -> float:
        """0..1 of all findings together (see `agreement`)."""
        return agreement(self.matched, self.missed + self.extra)

    @property
    def findings(self) -> int:
        """Of both sides."""
        return 2 * self.matched + self.missed + self.extra

    @property
    def looked_at(self) -> str:
        """For people."""
        return f"{self.pictures} frames"

    @property
    def mean_delta(self) -> float:
        """B's confidence less A's, the mean over what matched: above 0 where B is surer."""
        return self._delta_sum / self._deltas if self._deltas else 0.0

    @property
    def mean_distance(self) -> float:
        """How far the two confidences of a finding lie apart, the mean over what matched, 0..1."""
        return self._distance_sum / self._deltas if self._deltas else 0.0
