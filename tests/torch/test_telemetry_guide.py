"""The guide to telemetry, run as it is written: training too, which needs PyTorch."""

from __future__ import annotations

import json
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
        with (tmp_path / "errors.txt").open("w") as errors:
            done = subprocess.run(
                ["bash", "-c", script_of(blocks)],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
        assert done.returncode == 0, (tmp_path / "errors.txt").read_text() + done.stdout
    finally:
        LocalFleet(tmp_path / ".vss").down()
    (line,) = [line for line in done.stdout.splitlines() if '"is_anomaly":true' in line]
    found = json.loads(line[line.index("{") :])
    # The fault starts at second 1,290 of the day, which is 00:21:30.
    assert found["is_anomaly"] is True
    assert "2026-03-01T00:21:30" <= found["captured_at"] < "2026-03-01T00:21:34"
    assert found["affected_features"][0]["feature"] == "vibration"
    assert found["model_name"] == "pump"


def _five_commands() -> list[CodeBlock]:
    """Those that make the data, and those that are not run where there is no PyTorch."""
    made, *others = code_blocks(GUIDE, "console")
    needing = [block for block in others if "test_telemetry_guide" in block.not_run]
    assert [len(block.commands()) for block in needing] == [5, 1]
    return [made, *needing]
