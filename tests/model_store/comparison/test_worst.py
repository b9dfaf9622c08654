from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vss.model_store.comparison.difference import Difference
from vss.model_store.comparison.worst import Example, Place, WorstExamples

IMAGE = np.zeros((4, 4, 3), np.uint8)


def differing(count: int, *, delta: float = 0.0) -> Difference:
    return Difference(5, tuple(range(count)), deltas=(delta,))


def offer(kept: WorstExamples, place: Place, difference: Difference) -> bool:
    wanted = kept.wants(place, difference)
    if wanted:
        kept.add(Example(place, IMAGE, (), (), difference))
    return wanted


@given(st.lists(st.integers(0, 6), max_size=30), st.integers(0, 4))
def test_the_pictures_that_differ_most_are_kept_and_never_more_than_asked_for(counts: list[int], most: int) -> None:
    kept = WorstExamples(most)
    for i, count in enumerate(counts):
        offer(kept, Place(f"{i}.jpg"), differing(count))
        assert len(kept.worst_first()) <= most
    found = [example.difference.differing for example in kept.worst_first()]
    assert found == sorted((count for count in counts if count), reverse=True)[:most]


def test_of_neighbours_in_a_video_the_worst_is_kept() -> None:
    kept = WorstExamples(3)
    for number, count in enumerate([1, 4, 2, 1, 0, 0, 0, 0, 0, 0, 3, 1]):
        offer(kept, Place("clip.mp4", number), differing(count))
    assert [example.place.number for example in kept.worst_first()] == [1, 10]


def test_a_picture_with_the_same_boxes_is_of_interest_when_their_confidences_lie_apart() -> None:
    kept = WorstExamples(3)
    assert not offer(kept, Place("a.jpg"), differing(0, delta=0.05))
    assert offer(kept, Place("b.jpg"), differing(0, delta=-0.4))
    assert offer(kept, Place("c.jpg"), differing(1))
    assert [example.place.source for example in kept.worst_first()] == ["c.jpg", "b.jpg"]


def test_a_place_reads_well() -> None:
    assert str(Place("vss.frames[2] gate", 17)) == "vss.frames[2] gate #17"
    assert str(Place("a.jpg")) == "a.jpg"
