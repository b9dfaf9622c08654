"""A task of somebody else's package that does not keep what the port promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.model_store.models_command import runner
from tests.model_store.own_task import install_own_task
from vss.config import ModelSettings
from vss.errors import InferenceFailed, ModelUnsupported, UsageError
from vss.model_store.resolve import resolve_file
from vss.model_store.runner.runner import Runner

SETTINGS = ModelSettings(device="cpu", threads=1)


@pytest.mark.parametrize(
    ("part", "body", "says"),
    [
        ("result", "raise SystemExit(3)", "raised SystemExit: 3"),
        ("result", "class Out(BaseException): pass\n        raise Out", "raised Out"),
        ("result", "return 1 / 0", "raised ZeroDivisionError: division by zero"),
        ("result", "from vss.errors import ConfigError; raise ConfigError('mine')", "raised ConfigError: mine"),
        ("result", "return [1, 2]", "gave a result that is no dict: list"),
        ("result", "return {1: 2}", "gave a result with a name that is no text: 1"),
        ("write", "raise SystemExit(3)", "raised SystemExit: 3"),
    ],
)
def test_whatever_a_task_raises_fails_its_picture_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, body: str, says: str
) -> None:
    model = install_own_task(tmp_path / "site", monkeypatch, **{part: body})
    own = Runner.load(resolve_file(model), SETTINGS)
    try:
        with pytest.raises(InferenceFailed) as raised:
            own.run([np.zeros((8, 8, 3), np.uint8)])
        assert str(raised.value) == f"task 'own' of package own-package {says}"
    finally:
        own.close()


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("del Task.labels, Task.classes_in", "it has no labels, it has no classes_in"),
        ("Task.facts = None", "facts are no dict of texts: None"),
        ("Task.input_wh = (32,)", r"input_wh is no width and height: \(32,\)"),
        ("Task.labels = 'cat'", "labels are no tuple of names: 'cat'"),
        ("Task.result = None", "result is no method"),
    ],
)
def test_a_task_that_is_not_whole_is_refused_when_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str, says: str
) -> None:
    model = install_own_task(tmp_path / "site", monkeypatch, rest=rest)
    with pytest.raises(ModelUnsupported, match=f"task 'own' of package own-package is not whole: {says}") as raised:
        Runner.load(resolve_file(model), SETTINGS)
    assert raised.value.fix


def test_a_task_that_is_not_whole_is_not_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = install_own_task(tmp_path / "site", monkeypatch, rest="Task.facts = None")
    code, out, err = runner(capsys, tmp_path, monkeypatch)("add", str(model), "--name", "own")
    assert (code, out) == (2, "")
    assert "own-package is not whole: facts are no dict" in err
    assert not (tmp_path / "models" / "own" / "1").exists()


@pytest.mark.parametrize("rest", ["raise SystemExit(3)", "Task.__init__ = lambda _: exit(3)"])
def test_a_package_that_exits_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str) -> None:
    model = install_own_task(tmp_path / "site", monkeypatch, rest=rest)
    with pytest.raises(UsageError, match=r"task 'own' of package own-package .*SystemExit: 3"):
        Runner.load(resolve_file(model), SETTINGS)
