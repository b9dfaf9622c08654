"""Finds the code blocks of a Markdown document.

A ```console block holds commands on the lines that start with `$ `, and what they print on others. Commands are run by
a test; a block that cannot be run there says why on the line before it:

    <!-- not run: the camera is yours -->
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)")
NOT_RUN = re.compile(r"^<!-- not run: (?P<reason>.+) -->$")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One block.

    Attributes:
        document: Where it stands.
        line: Number of its first line of code, from 1.
        language: As in the fence.
        code: Its lines.
        not_run: Why it is not run; empty when it is.
    """

    document: Path
    line: int
    language: str
    code: tuple[str, ...]
    not_run: str

    def commands(self) -> list[tuple[int, str]]:
        """The commands of a console block, each with its line; one that is continued with `\\` in one piece."""
        commands: list[tuple[int, str]] = []
        continued = False
        for number, line in enumerate(self.code, self.line):
            if continued:
                start, command = commands[-1]
                commands[-1] = (start, f"{command[:-1]} {line.removeprefix('> ').strip()}")
            elif line.startswith("$ "):
                commands.append((number, line[2:].strip()))
            else:
                continue
            continued = commands[-1][1].endswith("\\")
        return commands


def documents() -> list[Path]:
    """README.md and everything below docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def code_blocks(document: Path, language: str) -> list[CodeBlock]:
    """The document's blocks of one language."""
    return [block for block in _blocks(document) if block.language == language]


def _blocks(document: Path) -> list[CodeBlock]:
    blocks: list[CodeBlock] = []
    opened: re.Match[str] | None = None
    reason, start = "", 0
    code: list[str] = []
    before = ""
    for number, line in enumerate(document.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if opened is None and fence is not None:
            marker = NOT_RUN.match(before.strip())
            opened, start, code = fence, number + 1, []
            reason = marker["reason"] if marker else ""
        elif opened is not None and fence is not None and not fence["language"]:
            blocks.append(CodeBlock(document, start, opened["language"], tuple(code), reason))
            opened = None
        elif opened is not None:
            code.append(line.removeprefix(opened["indent"]))
        before = line
    assert opened is None, f"{document}:{start}: the block does not end"
    return blocks
