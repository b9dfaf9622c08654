"""What the documents tell people to type works.

See `tests/docs/code_blocks.py` for how a block says that it is not run. All others of a document are run one after the
other in one shell, in a temporary folder, with a Kafka and a Redis of their own unless the document starts them itself.
A command that ends with `&` must still run at the document's end or have ended well.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT, CodeBlock, code_blocks, documents
from tests.docs.command_lines import check, words_of
from vss.config import load_settings
from vss.local.fleet import LocalFleet
from vss.local.state import STATE_FILE

LIMIT_S = 110
DOCUMENTS = documents()
STARTS_SERVERS = re.compile(r"\bvss up\b")

# Stops what runs in the background, asks for its end and tells what ended badly before it was asked.
EPILOGUE = """
for job in ${background[@]+"${background[@]}"}; do
  if kill -0 $job 2>/dev/null; then kill -TERM $job; wait $job || true
  else wait $job || { code=$?; echo "a command in the background ended with $code" >&2; exit $code; }
  fi
done
exit 0
"""


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


def runnable(document: Path) -> list[CodeBlock]:
    return [block for block in code_blocks(document, "console") if not block.not_run]


def script_of(blocks: list[CodeBlock]) -> str:
    """A shell script that says where it is, and stops with the first command that fails."""
    lines = ["set -u -o pipefail", "background=()"]
    for block in blocks:
        for number, command in block.commands():
            place = shlex.quote(f"{name_of(block.document)}:{number}: {command}")
            lines.append(f"printf '%s\\n' {place} >&2")
            # What follows has a line of its own, for a comment at the command's end would hide it.
            lines.append(command)
            if command.partition(" # ")[0].rstrip().endswith("&"):
                lines.append("background+=($!)")
            else:
                lines.append(f'code=$?; [ $code = 0 ] || {{ echo "ended with $code:" {place} >&2; exit $code; }}')
    return "\n".join(lines) + EPILOGUE


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if runnable(one)], ids=name_of)
def test_the_commands_of_a_document_work(document: Path, tmp_path: Path) -> None:
    blocks = runnable(document)
    fleet = LocalFleet(tmp_path / ".vss")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VSS_")}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    if cache := os.environ.get("VSS_CACHE"):
        environment["VSS_CACHE"] = cache
    output = tmp_path / "output.txt"
    try:
        if not any(STARTS_SERVERS.search(command) for block in blocks for _, command in block.commands()):
            fleet.up()
        # Into a file and not a pipe, which what goes on in the background would keep open.
        with output.open("w") as out:
            done = subprocess.run(
                ["bash", "-c", script_of(blocks)],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=LIMIT_S,
                check=False,
            )
        assert done.returncode == 0, output.read_text()
    finally:
        fleet.down()
        for state in tmp_path.rglob(STATE_FILE):
            LocalFleet(state.parent).down()


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if code_blocks(one, "console")], ids=name_of)
def test_every_command_that_is_shown_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in code_blocks(document, "console"):
        assert block.commands(), f"{name_of(document)}:{block.line}: a console block shows commands after `$ `"
        for number, command in block.commands():
            words = words_of(command)
            if words[:1] == ["vss"]:
                try:
                    check(words[1:])
                except Exception as error:
                    raise AssertionError(f"{name_of(document)}:{number}: {command}: {error}") from error
            if words[:1] == ["make"]:
                asked = {word for word in words[1:] if "=" not in word}
                assert asked <= targets, f"{name_of(document)}:{number}: {command}"


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if code_blocks(one, "python")], ids=name_of)
def test_every_python_block_is_python(document: Path) -> None:
    for block in code_blocks(document, "python"):
        compile("\n".join(block.code), f"{name_of(document)}:{block.line}", "exec")


def test_the_settings_that_are_shown_are_settings(tmp_path: Path) -> None:
    blocks = code_blocks(ROOT / "docs" / "configuration.md", "toml")
    assert blocks
    for block in blocks:
        (tmp_path / "vss.toml").write_text("\n".join(block.code))
        load_settings(tmp_path / "vss.toml")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (document.parent / target).exists(), f"{name_of(document)} links to {target}"


def test_a_command_that_fails_makes_its_document_fail() -> None:
    block = CodeBlock(ROOT / "docs" / "x.md", 7, "console", ("$ true  # fine", "$ false  # not", "$ echo on"), "")
    done = subprocess.run(["bash", "-c", script_of([block])], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ended with 1: docs/x.md:8: false  # not"
    assert done.stdout == ""


def test_a_command_in_the_background_that_fails_makes_its_document_fail() -> None:
    for command, code in (("sh -c 'exit 3' &", 3), ("sleep 600 &", 0), ("true &  # at once", 0)):
        block = CodeBlock(ROOT / "docs" / "x.md", 1, "console", (f"$ {command}", "$ sleep 0.3"), "")
        done = subprocess.run(["bash", "-c", script_of([block])], capture_output=True, text=True, check=False)
        assert done.returncode == code, command


def test_commands_are_read_from_a_block() -> None:
    code = ("$ vss up", "# ready", "$ vss worker detect \\", ">   --model x.onnx &", "kafka  running")
    block = CodeBlock(ROOT / "README.md", 3, "console", code, "")
    assert block.commands() == [(3, "vss up"), (5, "vss worker detect  --model x.onnx &")]


def test_a_marker_counts_for_the_block_right_below_it(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "<!-- not run: it is yours -->\n```console\n$ a\n```\n\n```console\n$ b\n```\n\n```python\nc\n```\n"
    )
    blocks = code_blocks(tmp_path / "a.md", "console")
    assert [(block.line, block.not_run) for block in blocks] == [(3, "it is yours"), (7, "")]


def test_a_mistyped_option_in_a_document_is_noticed() -> None:
    check(words_of("VSS_HOME=x vss up --only redis  # fine")[1:])
    for command in ("vss up --olny redis", "vss up --only rabbit", "vss upp", "vss topics creat"):
        with pytest.raises(Exception, match=r"(?i)no such|is not one of"):
            check(words_of(command)[1:])
