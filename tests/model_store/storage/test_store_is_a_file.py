"""A store that is a file is a mistake to correct, not an empty store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.model_store.models_command import Ran, runner


@pytest.mark.parametrize("command", [("list",), ("verify",), ("verify", "gate"), ("show", "gate")])
def test_a_store_that_is_a_file_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    vss: Callable[..., Ran] = runner(capsys, tmp_path, monkeypatch)
    (tmp_path / "passwd").write_text("root\n")
    code, _, err = vss(*command, "--store", str(tmp_path / "passwd"))
    assert code == 2
    assert "passwd is a file, not a folder" in err
    assert "--store" in err
