"""Addresses of cameras without the secrets in them: for logs, errors and metrics."""

from __future__ import annotations

import re

_SECRET = re.compile(r"([?&;][^=&;]*(?:pass|pwd|token|secret|key|auth|sig)[^=&;]*=)[^&;\s]*", re.IGNORECASE)
# Up to the last @: people put passwords with @ and / into addresses unescaped, and hiding too much is the lesser harm.
_CREDENTIALS = re.compile(r"([a-z][a-z0-9+.-]*://)\S*@", re.IGNORECASE)


def mask_secrets(address: str) -> str:
    """The address with user, password and secret-looking parameters replaced by `***`."""
    return _SECRET.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", address))
