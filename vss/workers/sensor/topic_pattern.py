"""What the levels of an MQTT topic say: whose reading it is, and of what."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Final

from vss.errors import ConfigError

_WORDS: Final = ("sensor", "feature")


@dataclass(frozen=True, slots=True)
class FromTopic:
    """What a topic said.

    Attributes:
        sensor: Id of the sensor; None where the pattern names none.
        feature: Name of the feature; None where the pattern names none.
    """

    sensor: str | None = None
    feature: str | None = None


class TopicPattern:
    """A pattern of topics such as `factory/{sensor}/{feature}`.

    Each level is a text, `+` (any), `{sensor}`, `{feature}`, or at the end `#` (any number of levels). Text may stand
    around the words: `pump-{sensor}`.

    Args:
        pattern: As above.

    Raises:
        ConfigError: It names neither, or something else.
    """

    def __init__(self, pattern: str) -> None:
        for word in re.findall(r"\{([^}]*)\}", pattern):
            if word not in _WORDS:
                near = difflib.get_close_matches(word, _WORDS, n=1, cutoff=0.0)[0]
                raise ConfigError(f"unknown word {{{word}}} in {pattern!r}", fix=f"did you mean {{{near}}}?")
        found = [word for word in _WORDS if pattern.count(f"{{{word}}}") == 1]
        if not found or len(found) < sum(f"{{{word}}}" in pattern for word in _WORDS):
            raise ConfigError(
                f"{pattern!r} must name {{sensor}} or {{feature}}, each once",
                fix="for example: --sensor-from-topic 'factory/{sensor}/{feature}'",
            )
        levels = pattern.split("/")
        rest = levels[-1] == "#"
        parts = [self._level(level) for level in (levels[:-1] if rest else levels)]
        self._regex = re.compile("/".join(parts) + (r"(?:/.*)?" if rest else ""), re.DOTALL)
        self.pattern = pattern

    @staticmethod
    def _level(level: str) -> str:
        if level == "+":
            return "[^/]*"
        return "".join(
            f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{\w+\})", level)
        )

    def read(self, topic: str) -> FromTopic:
        """What a topic says.

        Raises:
            ValueError: It does not fit the pattern.
        """
        found = self._regex.fullmatch(topic)
        if found is None:
            raise ValueError(f"the topic does not fit {self.pattern!r}")
        return FromTopic(**found.groupdict())
