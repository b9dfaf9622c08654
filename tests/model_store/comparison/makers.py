"""Findings to compare."""

from __future__ import annotations

from hypothesis import strategies as st

from vss.schemas.events import ClassPrediction, DetectedObject

CLASSES = ("bolt", "nut", "washer")


def thing(
    x: float = 0, y: float = 0, width: float = 10, height: float = 10, *, class_id: int = 0, confidence: float = 0.9
) -> DetectedObject:
    return DetectedObject(
        class_=CLASSES[class_id],
        class_id=class_id,
        confidence=confidence,
        bbox=(x, y, x + width, y + height),
        center=(x + width / 2, y + height / 2),
    )


def predictions(*classes: str, confidence: float = 0.8) -> tuple[ClassPrediction, ...]:
    return tuple(
        ClassPrediction(class_=name, class_id=i, confidence=confidence / 2**i) for i, name in enumerate(classes)
    )


# Few places and sizes, so that boxes meet, coincide and tie.
objects = st.lists(
    st.builds(
        thing,
        st.sampled_from([0.0, 2.0, 4.0, 30.0]),
        st.sampled_from([0.0, 3.0, 30.0]),
        st.sampled_from([8.0, 10.0]),
        st.sampled_from([8.0, 10.0]),
        class_id=st.integers(0, 2),
        confidence=st.sampled_from([0.3, 0.5, 0.7, 0.9]),
    ),
    max_size=8,
).map(tuple)
