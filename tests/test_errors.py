"""The error tree, its drawing and its table agree."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from vss import errors
from vss.errors import POLICIES, Action, Policy, VssError, policy_for

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, VssError)]
SOURCE = Path(errors.__file__).read_text()


def drawn() -> dict[str, str | None]:
    """Each class of the comment, and its parent there."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in SOURCE.splitlines():
        match = re.fullmatch(r"# ((?:│   |    )*)(?:[├└]── )?(\w+)(?: {2,}.*)?", line)
        if match is None or not (match[2] == "VssError" or "──" in line):
            continue
        depth = 0 if match[2] == "VssError" else len(match[1]) // 4 + 1
        path[depth:] = [match[2]]
        parents[match[2]] = path[depth - 1] if depth else None
    return parents


def test_the_drawing_equals_the_classes() -> None:
    parents = {cls: cls.__mro__[1] for cls in CLASSES}
    assert drawn() == {cls.__name__: (base.__name__ if cls is not VssError else None) for cls, base in parents.items()}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_has_a_row_of_its_own_or_of_a_base_of_ours(cls: type[VssError]) -> None:
    rows = [base for base in cls.__mro__ if base in POLICIES]
    assert rows
    assert cls is VssError or rows[0] is not Exception, "left to the row for what nobody foresaw"
    assert policy_for(cls("x")) == POLICIES[rows[0]]


@pytest.mark.parametrize(
    ("error", "action", "attempts"),
    [
        (errors.UndecodableImage("x"), Action.DEAD_LETTER, 1),
        (errors.InferenceFailed("x"), Action.RETRY, 2),
        (errors.CacheUnavailable("x"), Action.PAUSE, 1),
        (errors.BrokerUnavailable("x"), Action.PAUSE, 1),
        (errors.TransactionAborted("x"), Action.REWIND, 1),
        (errors.Fenced("x"), Action.CRASH, 1),
        (errors.ConfigError("x"), Action.CRASH, 1),
        (errors.ModelCorrupt("x"), Action.CRASH, 1),
        (errors.BrokenPromise("x"), Action.CRASH, 1),
        (ZeroDivisionError(), Action.RETRY, 2),
        (KeyboardInterrupt(), Action.CRASH, 1),
        (SystemExit(), Action.CRASH, 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_what_follows_an_error(error: BaseException, action: Action, attempts: int) -> None:
    assert policy_for(error) == Policy(action, attempts)


def test_what_the_user_can_mend_ends_with_code_two() -> None:
    assert {cls.__name__ for cls in CLASSES if cls.exit_code == 2} == {
        "UsageError",
        "ConfigError",
        "ModelError",
        "ModelNotFound",
        "ModelCorrupt",
        "ModelUnsupported",
        "ModelUnsafe",
        "ModelTooLarge",
        "SmokeFailed",
        "LocalError",
        "SourceUnreadable",
    }


def test_the_file_defines_no_class_outside_the_tree() -> None:
    defined = {node.name for node in ast.parse(SOURCE).body if isinstance(node, ast.ClassDef)}
    assert defined == {cls.__name__ for cls in CLASSES} | {"Action", "Policy"}
