"""Takes secrets out of everything that is logged or printed.

Two ways lead a secret there: as a value with a telling name (`sasl.password`), and inside a longer text, mostly an
address (`rtsp://user:password@camera/`). Both are masked; what helps to find the fault (user, host, path) stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

_SECRET_NAME = re.compile(
    r"passw|passphrase|pwd|secret|token|credential|api_?key|private_?key|authorization|jaas|ssl\.key\.pem",
    re.IGNORECASE,
)
# Up to the last @: cameras' passwords are often given with an @ or / that nobody escaped. What looks like a port ends
# it, so that an @ in the path of `host:554/` hides nothing.
_USER_INFO = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)"
    r"(?P<info>[^\s/?#'\"<>:]*:(?!\d+[/?#])[^\s'\"<>]*|[^\s/?#'\"<>]*)@",
    re.IGNORECASE,
)
_QUERY = re.compile(
    # Cameras' own names for it are many: `loginpas`, `usr_pwd`, `authkey`.
    r"(?P<name>[?&;][^=&;\s]*(?:pas|pwd|token|secret|key|auth|sig)[^=&;\s]*=)[^&;\s'\"#]+",
    re.IGNORECASE,
)
# `name=value`, and `'name': value` as tables print themselves. A bare colon is prose: "no password: give one".
_ASSIGNMENT = re.compile(
    r"(?P<name>[\w.-]*(?:password|passwd|passphrase|secret)[\w.-]*(?:\s*=\s*|['\"]\s*:\s*))"
    r"(?:'[^']*'|\"[^\"]*\"|[^\s,;&}]+)",
    re.IGNORECASE,
)


def mask_text(text: str) -> str:
    """The text with `***` for passwords in addresses, secrets in query strings and `password=…`."""
    text = _USER_INFO.sub(_without_password, text)
    text = _QUERY.sub(rf"\g<name>{MASK}", text)
    return _ASSIGNMENT.sub(rf"\g<name>{MASK}", text)


def _without_password(match: re.Match[str]) -> str:
    user, colon, _ = match["info"].partition(":")
    # Without a colon the whole of it may be a token.
    return f"{match['scheme']}{user}:{MASK}@" if colon else f"{match['scheme']}{MASK}@"


def mask_value(name: str, value: Any) -> Any:
    """The value as it may be shown under the name; tables and lists are walked through."""
    if value is None or isinstance(value, bool):
        return value
    if _SECRET_NAME.search(name):
        return MASK
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {key: mask_value(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask_value("", inner) for inner in value]
    # What a renderer would do with it, too.
    return mask_text(repr(value))
