"""Runs `vss models` as a user would, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vss.cli.main import main

Ran = tuple[int, str, str]
"""Exit code, stdout, stderr."""
NO_BROKER = "127.0.0.1:9"


def runner(capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """A function that takes the words after `vss models`; where nobody answers as the broker unless they name one."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VSS_KAFKA__BOOTSTRAP_SERVERS", NO_BROKER)
    monkeypatch.setenv("VSS_MODEL__DOWNLOAD_CACHE", str(folder / "cache"))

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main(["models", *arguments])
        streams = capsys.readouterr()
        assert isinstance(exited.value.code, int)
        assert "Traceback" not in streams.err
        return exited.value.code, streams.out, streams.err

    return run
