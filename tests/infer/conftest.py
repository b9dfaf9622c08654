"""`vss` as these tests call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vss.cli.main import main


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def vss(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Ran:
        with pytest.raises(SystemExit) as exited:
            main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        assert isinstance(exited.value.code, int)
        assert "Traceback" not in streams.err
        return Ran(exited.value.code, streams.out, streams.err)

    return run
