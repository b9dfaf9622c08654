"""Who has not installed what trains is told so in one line, whatever of it is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import importlib.machinery, sys

MISSING = {"matplotlib", "onnx", "onnxscript", "skl2onnx", "sklearn", "torch"}


class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        return None if fullname.partition(".")[0] in MISSING else super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Finder
from vss.cli.main import main

main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "command",
    [
        "train anomaly --data readings.csv --name pump",
        "train anomaly --data readings.csv --name pump --arch streaming",
        "train forecast --data readings.csv --name pump",
        "evaluate anomaly --protocol skab --data .",
        "evaluate anomaly --protocol nab --data .",
        "evaluate forecast --data readings.csv",
    ],
)
def test_what_is_missing_is_named_with_the_fix(tmp_path: Path, command: str) -> None:
    (tmp_path / "readings.csv").write_text("ts,pressure\n2026-03-01T12:00:00Z,1.2\n")
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, *command.split()], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].split(maxsplit=1) == ["fix:", "pip install 'vss-fleet[train]'"]
