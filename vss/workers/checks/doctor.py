"""`vss doctor`: a list of small checks, each with the fix of its failure."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from vss.errors import VssError


class State(enum.StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    """It works, but less well than it could."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """What it needs has failed."""


class Doubt(VssError):
    """Raised by a check that passes with a warning."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.

    Attributes:
        name: What is checked, in a word or two.
        run: Looks, and returns what it saw; raises `Doubt` for a warning, any other error for a failure. The error's
            `fix` is the fix.
        needs: Another check, without which this one says nothing.
    """

    name: str
    run: Callable[[], str]
    needs: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """How one check went.

    Attributes:
        detail: What was seen, or what is wrong.
        fix: What to do about it; empty when nothing is.
    """

    name: str
    state: State
    detail: str
    fix: str = ""


def examine(checks: Sequence[Check]) -> Iterator[Finding]:
    """Runs checks in order, whatever one of them raises."""
    states: dict[str, State] = {}
    for check in checks:
        finding = _finding(check, states)
        states[check.name] = finding.state
        yield finding


def _finding(check: Check, states: dict[str, State]) -> Finding:
    if check.needs is not None and states.get(check.needs) in (State.FAILED, State.SKIPPED):
        return Finding(check.name, State.SKIPPED, f"needs: {check.needs}")
    try:
        return Finding(check.name, State.OK, check.run())
    except Doubt as doubt:
        return Finding(check.name, State.WARNING, str(doubt), doubt.fix)
    except VssError as error:
        return Finding(check.name, State.FAILED, str(error), error.fix)
    except Exception as error:  # a check that breaks is a finding, not the end of the others
        return Finding(check.name, State.FAILED, f"{type(error).__name__}: {error}", "report this: the check broke")
