"""The guide to telemetry, run as it is written: training too, which needs PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra torch: make test-torch")
pytest.importorskip("sklearn", reason="needs the extra train: make test-torch")

from tests.docs.code_blocks import ROOT, CodeBlock, code_blocks
from tests.docs.test_documents import script_of
from vss.local.fleet import LocalFleet

LIMIT_S = 500
GUIDE = ROOT / "docs" / "telemetry.md"


@pytest.mark.timeout(LIMIT_S + 60)
def test_five_commands_lead_from_a_table_to_a_flagged_fault(tmp_path: Path) -> None:
    blocks = _five_commands()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VSS_")}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    if cache := os.environ.get("VSS_CACHE"):
        environment["VSS_CACHE"] = cache
    try:
        # Into files and not pipes, which what goes on in the background would keep open.
        with (tmp_path / "errors.txt").open("w") as errors, (tmp_path / "output.txt").open("w") as output:
            done = subprocess.run(
                ["bash", "-c", script_of(blocks)],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                timeout=LIMIT_S,
                check=False,
            )
        assert done.returncode == 0, (tmp_path / "errors.txt").read_text()
    finally:
        LocalFleet(tmp_path / ".vss").down()
    lines = (tmp_path / "output.txt").read_text().splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("time "))
    _time, place, sensor, model, _score, severity, feature, *_ = lines[head + 1].split()
    # Windows are numbered from 0; that which ends with the fault's first reading, 900, is number 861.
    assert 861 <= int(place.partition("@")[2]) < 861 + 40
    assert (sensor, model, severity, feature) == ("pump", "pump@1", "low:", "vibration")


def _five_commands() -> list[CodeBlock]:
    """Those that make the data, and those that are not run where there is no PyTorch."""
    made, *others = code_blocks(GUIDE, "console")
    needing = [block for block in others if "test_telemetry_guide" in block.not_run]
    assert [len(block.commands()) for block in needing] == [5, 1]
    return [made, *needing]
