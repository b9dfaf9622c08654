"""The references say what the code does."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from scripts.make_reference import BEGIN, DOCS, END, renewed
from vss.cli.main import COMMANDS
from vss.config import known_settings


def test_the_references_are_up_to_date() -> None:
    # In a process of its own: click keeps the help option of a command from its first use, whoever made that.
    script = DOCS.parent / "scripts" / "make_reference.py"
    checked = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=100)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_is_written_by_hand_stays() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    new = renewed("metrics.md", text)
    assert new.startswith(f"before\n{BEGIN}\n")
    assert new.endswith(f"\n{END}\nafter\n")
    assert "old" not in new.splitlines()
    assert renewed("metrics.md", new) == new


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(SystemExit, match="has lost the lines"):
        renewed("metrics.md", f"before\n{BEGIN}\nold\n")


def test_the_alerts_ask_for_metrics_that_there_are() -> None:
    page = (DOCS / "metrics.md").read_text()
    by_hand, _, made = page.partition(BEGIN)
    asked = {name.removesuffix("_bucket") for name in re.findall(r"\bvss_\w+", by_hand)}
    assert len(asked) >= 5
    assert asked <= set(re.findall(r"`(vss_\w+)`", made))


def test_every_setting_and_every_command_is_in_its_reference() -> None:
    configuration, commands = ((DOCS / page).read_text() for page in ("configuration.md", "cli.md"))
    for name in known_settings():
        table, _, key = name.partition(".")
        assert f"`VSS_{table}__{key}`".upper() in configuration.upper()
    for name in COMMANDS:
        assert f"\n## `vss {name}`\n" in commands
