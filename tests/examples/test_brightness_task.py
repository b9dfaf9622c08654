"""The example of a task of one's own, installed as a user installs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.examples.brightness_model import EXAMPLE, make_brightness_model
from tests.infer.media import write_image
from tests.model_store.tiny_model import write_tiny_yolov8
from vss.cli.main import main
from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.resolve import resolve_file
from vss.model_store.runner.runner import Runner


@dataclass(frozen=True)
class Ran:
    code: object
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built and installed by pip into a folder of its own, without the network."""
    folder = tmp_path_factory.mktemp("example")
    # pip leaves what it builds beside the sources.
    copy = shutil.copytree(EXAMPLE, folder / "sources", ignore=shutil.ignore_patterns("__pycache__"))
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", folder / "site", copy],
        check=True,
        capture_output=True,
    )
    return folder / "site"


@pytest.fixture
def vss(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `vss` with the package installed."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as exited:
            main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return Ran(exited.value.code, streams.out, streams.err)

    return run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_brightness_model(tmp_path)


def test_pictures_are_measured_as_the_example_says(vss: Run, model: Path, tmp_path: Path) -> None:
    for name, level in (("dark.png", 25), ("light.png", 204)):
        write_image(tmp_path / "in" / name, level)
    done = vss("infer", model, "in", "--json", "--save", "out")
    assert done.code == 0, done.err
    dark, light = (json.loads(line) for line in done.out.splitlines())
    assert dark["result"] == pytest.approx({"brightness": 25 / 255, "contrast": 0.0, "dark": True}, abs=1e-3)
    assert light["result"] == pytest.approx({"brightness": 0.8, "contrast": 0.0, "dark": False}, abs=1e-3)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dark.png", "light.png"]


def test_a_person_reads_the_values(vss: Run, model: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "light.png", 204)
    assert vss("infer", model, "light.png").out == "light.png: brightness 0.8, contrast 0, dark False\n"


def test_it_goes_into_the_store_like_any_model(vss: Run, model: Path, tmp_path: Path) -> None:
    assert vss("models", "add", model, "--name", "brightness").code == 0
    write_image(tmp_path / "light.png", 204)
    assert json.loads(vss("infer", "brightness@1", "light.png", "--json").out)["result"]["dark"] is False


def test_the_worker_of_another_task_is_named_for_other_models(vss: Run, tmp_path: Path) -> None:
    write_tiny_yolov8(tmp_path / "gate.onnx")
    refused = vss("worker", "task", "--model", "gate.onnx")
    assert refused.code == 2
    assert "the task of gate.onnx is detection" in refused.err
    assert "vss worker detect" in refused.err


def test_without_the_package_the_task_is_unknown(model: Path) -> None:
    with pytest.raises(ConfigError, match="unknown task 'brightness'"):
        Runner.load(resolve_file(model), ModelSettings(device="cpu"))


def test_contrast_is_the_spread_of_the_luminance(model: Path) -> None:
    import onnxruntime

    picture = np.random.default_rng(5).random((1, 3, 64, 64), np.float32)
    [measures] = onnxruntime.InferenceSession(str(model)).run(None, {"images": picture})
    luma = np.tensordot(np.array([0.299, 0.587, 0.114]), picture[0], 1)
    np.testing.assert_allclose(measures[0], [luma.mean(), luma.std()], rtol=1e-4)
