from __future__ import annotations

import pytest

from vss.errors import ConfigError
from vss.workers.sensor.topic_pattern import FromTopic, TopicPattern


@pytest.mark.parametrize(
    ("pattern", "topic", "sensor", "feature"),
    [
        ("factory/{sensor}/{feature}", "factory/pump-1/pressure", "pump-1", "pressure"),
        ("+/{sensor}", "any/pump 2", "pump 2", None),
        ("{sensor}/#", "pump/a/b/c", "pump", None),
        ("{sensor}/#", "pump", "pump", None),
        ("a.b/{feature}", "a.b/t", None, "t"),
        ("pump-{sensor}/x", "pump-7/x", "7", None),
        ("/{sensor}", "/lead", "lead", None),
    ],
)
def test_a_topic_says_whose_and_what(pattern: str, topic: str, sensor: str | None, feature: str | None) -> None:
    assert TopicPattern(pattern).read(topic) == FromTopic(sensor, feature)


@pytest.mark.parametrize(
    ("pattern", "topic"),
    [
        ("factory/{sensor}/{feature}", "factory/pump-1"),
        ("factory/{sensor}", "factory/pump/1"),
        ("factory/{sensor}", "factory/"),
        ("a.b/{sensor}", "axb/pump"),
        ("+/{sensor}", "a/b/c"),
    ],
)
def test_a_topic_that_does_not_fit_says_so(pattern: str, topic: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        TopicPattern(pattern).read(topic)


@pytest.mark.parametrize(
    ("pattern", "fix"),
    [
        ("factory/{senser}", "did you mean {sensor}?"),
        ("factory/+", "factory/{sensor}/{feature}"),
        ("{sensor}/{sensor}", "factory/{sensor}/{feature}"),
        ("{sensor}/{feature}/{feature}", "factory/{sensor}/{feature}"),
    ],
)
def test_a_pattern_that_says_nothing_is_refused_with_the_fix(pattern: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TopicPattern(pattern)
    assert fix in caught.value.fix
