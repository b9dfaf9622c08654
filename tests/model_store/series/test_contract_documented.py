from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.model_store.series.tiny_series import write_anomaly
from vss.config import ModelSettings
from vss.model_store.manifest import read_manifest
from vss.model_store.resolve import ModelRef, resolve_file
from vss.model_store.runner.open import open_runner
from vss.model_store.runner.window_runner import WindowRunner

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
SECTION = PAGE.read_text(encoding="utf-8").partition("## Models of readings")[2].partition("\n## ")[0]


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)
    return str(found)


def test_a_model_of_ones_own_is_served_once_it_says_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_anomaly(tmp_path / "pump.onnx", spec={}, shape=["n", 100, 2])

    exec(compile(block("python"), "docs/models.md", "exec"), {})  # noqa: S102 - the page's own example

    runner = open_runner(resolve_file(tmp_path / "pump.onnx"), ModelSettings(device="cpu", threads=1))
    try:
        assert isinstance(runner, WindowRunner)
        runner.prove()
        assert (runner.spec.threshold, runner.spec.scores_of_levels) == (2.3, (2.3, 3.1, 4.0, 6.0))
    finally:
        runner.close()


def test_the_manifest_of_the_page_stands_for_a_file_that_says_nothing(tmp_path: Path) -> None:
    write_anomaly(tmp_path / "pump.onnx", spec={}, shape=["n", 100, 2])
    (tmp_path / "model.yaml").write_text(block("yaml"))

    ref = ModelRef("pump", "1", tmp_path / "pump.onnx", read_manifest(tmp_path / "model.yaml"))
    runner = open_runner(ref, ModelSettings(device="cpu", threads=1))
    try:
        assert isinstance(runner, WindowRunner)
        assert runner.spec.threshold == 2.3
    finally:
        runner.close()
