import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.model_store.models_command import Ran, runner
from tests.model_store.quantisation.conv_net import conv_net, write, write_pictures
from tests.model_store.quantisation.test_quantise import as_fast_as, spoil

MANIFEST = """
task: classification
input: {mean: [0, 0, 0], std: [1, 1, 1], width: 32, height: 32}
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """In a folder with a model `net.onnx`, which is `net@1` of the store too, and 12 pictures in `pictures`."""
    run = runner(capsys, tmp_path, monkeypatch)
    monkeypatch.setattr("vss.model_store.quantisation.quantise.race", as_fast_as(1.5))
    write(conv_net(channels=32), tmp_path / "net.onnx")
    (tmp_path / "net.yaml").write_text(MANIFEST)
    write_pictures(tmp_path / "pictures", 12)
    assert run("add", "net.onnx", "--name", "net")[0] == 0
    return run


def versions(run: Callable[..., Ran]) -> list[int]:
    return [one["version"] for one in json.loads(run("list", "--json")[1])[0]["versions"]]


def test_the_best_candidate_is_the_next_version(run: Callable[..., Ran]) -> None:
    code, out, _ = run("quantize", "net", "--calibration", "pictures", "--max-loss", "20")
    assert code == 0
    assert "3 layers; 3 pictures calibrate, 9 are unseen, all 12 judge" in out
    assert out.count("kept") == 2
    assert "kept net@2" in out
    assert versions(run) == [1, 2]
    code, out, _ = run("show", "net", "--json")
    assert (code, json.loads(out)["version"]) == (0, "2")


def test_machines_read_what_was_measured(run: Callable[..., Ran]) -> None:
    code, out, _ = run("quantize", "net@1", "--calibration", "pictures", "--max-loss", "20", "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["model"], report["measure"], report["made"]["version"]) == ("net@1", "agreement", "net@2")
    assert report["pictures"] == {"calibration": 3, "all": 12}
    assert sum(one["chosen"] for one in report["candidates"]) == 1
    assert {one["speed"] for one in report["candidates"]} == {1.5}
    assert len(report["sensitive_layers"]) == 3


def test_a_file_becomes_another_file(run: Callable[..., Ran], tmp_path: Path) -> None:
    options = ("--calibration", "pictures", "--max-loss", "20", "--pictures", "8")
    code, _, err = run("quantize", "net.onnx", *options)
    assert (code, "--output" in err) == (2, True)
    code, out, _ = run("quantize", "net.onnx", *options, "--output", "small.onnx")
    assert code == 0
    assert "all 8 judge" in out
    assert (tmp_path / "small.onnx").stat().st_size < (tmp_path / "net.onnx").stat().st_size
    code, _, err = run("quantize", "small.onnx", *options, "--output", "smaller.onnx")
    assert (code, "quantised already" in err) == (2, True)


def test_where_all_lose_too_much_there_is_no_new_version(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda _: True)
    code, out, err = run("quantize", "net", "--calibration", "pictures")
    assert code == 1
    assert "percentile" in out
    assert "no candidate is within 1 points" in err
    assert "--max-loss" in err
    assert versions(run) == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nett", "--calibration", "pictures"), "did you mean net?"),
        (("net", "--calibration", "nowhere"), "no such file or folder: nowhere"),
        (("net", "--calibration", "empty"), "no images or videos"),
        (("net", "--calibration", "broken"), "cannot be read"),
        (("net", "--calibration", "pictures", "--output", "no/such/folder.onnx"), "cannot write"),
    ],
)
def test_what_cannot_work_is_said_in_a_line(
    run: Callable[..., Ran], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.jpg").write_bytes(b"\xff\xd8\xff no picture")
    code, _, err = run("quantize", *arguments, "--max-loss", "50")
    assert code in (1, 2)
    assert message.lower() in err.lower()
    assert "fix:" in err
    assert versions(run) == [1]
