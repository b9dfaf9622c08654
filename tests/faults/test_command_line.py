"""What the user can get wrong ends with one clear line, the fix, a code that is not zero, and no traceback."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pytest

from tests.faults.rig import VSS, Rig
from tests.model_store.detection.tiny_models import write_model
from vss.local.fleet import LocalFleet
from vss.local.ports import free_ports
from vss.testing import make_frame

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float

    def is_a_clear_failure(self, *words: str) -> None:
        everything = self.out + self.err
        assert self.code in (1, 2), everything
        assert "Traceback" not in everything
        assert "unexpected" not in self.err, "an error that nobody foresaw"
        errors = [line for line in self.err.splitlines() if line.startswith("error: ")]
        fixes = [line for line in self.err.splitlines() if line.startswith("fix: ")]
        assert len(errors) == 1, everything
        assert len(fixes) == 1, everything
        assert len(fixes[0]) > len("fix:   a b c"), everything
        for word in words:
            assert word in errors[0], everything


@pytest.fixture
def vss(tmp_path: Path) -> Callable[..., Said]:
    """Runs `vss` in an empty folder, with no fleet but the one it is told of."""

    def run(*arguments: object, env: dict[str, str] | None = None) -> Said:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VSS_")}
        if "VSS_CACHE" in os.environ:
            clean["VSS_CACHE"] = os.environ["VSS_CACHE"]
        started_s = time.monotonic()
        done = subprocess.run(
            [VSS, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=clean | (env or {}),
            timeout=PATIENCE_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - started_s)

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(make_frame().value or b"")
    return path


@pytest.fixture
def nowhere() -> str:
    """An address at which nobody listens."""
    return f"127.0.0.1:{free_ports(1, random.SystemRandom())[0]}"


@pytest.fixture
def wrong_rank(tmp_path: Path) -> Path:
    return write_model(tmp_path / "flat.onnx", np.zeros((6, 84), np.float32), input_shape=(12,))


def test_a_model_that_is_not_there(vss: Callable[..., Said], nowhere: str, tmp_path: Path, picture: Path) -> None:
    missing = tmp_path / "missing.onnx"
    vss("worker", "detect", "--model", missing, "--bootstrap-servers", nowhere).is_a_clear_failure("missing.onnx")
    vss("worker", "detect", "--model", "gate@7", "--bootstrap-servers", nowhere).is_a_clear_failure("gate")
    vss("infer", missing, picture).is_a_clear_failure("missing.onnx")


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x07" * 50], ids=["empty", "text", "binary"])
def test_a_model_that_is_none(
    vss: Callable[..., Said], nowhere: str, tmp_path: Path, picture: Path, content: bytes
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    vss("worker", "detect", "--model", broken, "--bootstrap-servers", nowhere).is_a_clear_failure("broken.onnx")
    vss("infer", broken, picture).is_a_clear_failure("broken.onnx")


def test_a_model_that_was_cut_off(vss: Callable[..., Said], nowhere: str, tmp_path: Path, tiny_detector: Path) -> None:
    content = tiny_detector.read_bytes()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(content[: len(content) // 2])
    vss("worker", "detect", "--model", cut, "--bootstrap-servers", nowhere).is_a_clear_failure("cut.onnx")


def test_a_model_of_another_rank(vss: Callable[..., Said], nowhere: str, picture: Path, wrong_rank: Path) -> None:
    vss("worker", "detect", "--model", wrong_rank, "--bootstrap-servers", nowhere).is_a_clear_failure("flat")
    vss("infer", wrong_rank, picture).is_a_clear_failure("flat")


def test_a_video_that_does_not_open(
    vss: Callable[..., Said], bootstrap_servers: str, make_rig: Callable[..., Rig], tmp_path: Path, tiny_detector: Path
) -> None:
    rig = make_rig()
    text = tmp_path / "clip.mp4"
    text.write_text("no video")
    for source in (text, tmp_path / "missing.mp4"):
        where = ("--bootstrap-servers", bootstrap_servers, "--metrics-port", 0)
        said = vss("camera", "gate", source, *where, env={"VSS_KAFKA__TOPIC_PREFIX": rig.prefix})
        said.is_a_clear_failure(source.name)
        vss("infer", tiny_detector, source).is_a_clear_failure(source.name)


@pytest.mark.parametrize(
    "command",
    [("topics", "create"), ("topics", "list"), ("tail", "detections"), ("audit",), ("worker", "cache")],
    ids=" ".join,
)
def test_no_broker(vss: Callable[..., Said], nowhere: str, redis_url: str, command: tuple[str, ...]) -> None:
    said = vss(*command, "--bootstrap-servers", nowhere, env={"VSS_REDIS__URL": redis_url})
    said.is_a_clear_failure()
    assert "vss up" in said.err
    assert nowhere in said.err
    assert said.seconds < 40


def test_no_broker_for_a_worker_and_a_camera(
    vss: Callable[..., Said], nowhere: str, tiny_detector: Path, tmp_path: Path
) -> None:
    vss("worker", "detect", "--model", tiny_detector, "--bootstrap-servers", nowhere).is_a_clear_failure(nowhere)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    vss("camera", "gate", pictures, "--bootstrap-servers", nowhere).is_a_clear_failure()


def test_no_redis(vss: Callable[..., Said], nowhere: str, bootstrap_servers: str) -> None:
    url = f"redis://{nowhere}/0"
    vss("latest", "gate", "--redis-url", url).is_a_clear_failure()
    vss("worker", "cache", "--bootstrap-servers", bootstrap_servers, "--redis-url", url).is_a_clear_failure()


def test_a_password_is_not_shown(vss: Callable[..., Said], nowhere: str) -> None:
    said = vss("latest", "gate", "--redis-url", f"redis://:hunter2@{nowhere}/0")
    said.is_a_clear_failure()
    assert "hunter2" not in said.out + said.err


def test_a_metrics_port_that_is_taken(
    vss: Callable[..., Said], make_rig: Callable[..., Rig], tiny_detector: Path
) -> None:
    rig = make_rig()
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - as the endpoint does
        port = taken.getsockname()[1]
        said = vss(
            *("worker", "detect", "--model", tiny_detector, "--metrics-port", port),
            *("--bootstrap-servers", rig.bootstrap_servers),
            env={"VSS_KAFKA__TOPIC_PREFIX": rig.prefix},
        )
    said.is_a_clear_failure(str(port))


def test_topics_that_do_not_exist(vss: Callable[..., Said], bootstrap_servers: str, tiny_detector: Path) -> None:
    said = vss(
        *("worker", "detect", "--model", tiny_detector, "--bootstrap-servers", bootstrap_servers),
        env={"VSS_KAFKA__TOPIC_PREFIX": "nothing-here."},
    )
    said.is_a_clear_failure("nothing-here.")
    assert "vss topics create" in said.err


@pytest.mark.parametrize("command", [("up",), ("models", "add")], ids=" ".join)
def test_a_folder_that_cannot_be_written(
    vss: Callable[..., Said], tmp_path: Path, tiny_detector: Path, command: tuple[str, ...]
) -> None:
    """A file stands in the way, which stops root as well."""
    in_the_way = tmp_path / "in-the-way"
    in_the_way.write_text("")
    if command == ("up",):
        said = vss("up", "--folder", in_the_way / "fleet")
    else:
        said = vss(*command, tiny_detector, "--name", "gate", "--store", in_the_way / "store")
    said.is_a_clear_failure("in-the-way")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[kafka]\nbootstrap_server = 'x:1'\n", "bootstrap_server"),
        ("[loop]\nmax_batch = 'many'\n", "max_batch"),
        ("[kafka\n", "vss.toml"),
        ("[kafka.properties]\n'isolation.level' = 'read_uncommitted'\n", "isolation.level"),
        ("[kafka.properties]\n'no.such.property' = 1\n", "no.such.property"),
        ("[kafka.properties]\n'session.timeout.ms' = 'soon'\n", "session.timeout.ms"),
    ],
)
def test_a_settings_file_that_is_wrong(
    vss: Callable[..., Said], tmp_path: Path, nowhere: str, text: str, word: str
) -> None:
    (tmp_path / "vss.toml").write_text(text)
    said = vss("topics", "list", "--bootstrap-servers", nowhere)
    said.is_a_clear_failure()
    assert word in said.err


def test_debug_shows_the_traceback(vss: Callable[..., Said], picture: Path) -> None:
    for arguments in (("--debug", "infer", "missing.onnx", picture), ("infer", "missing.onnx", picture, "--debug")):
        said = vss(*arguments)
        assert said.code != 0
        assert "Traceback" in said.err
        assert "ModelNotFound" in said.err


def test_a_broker_that_refuses_a_name_and_password(vss: Callable[..., Said], own_fleet: LocalFleet) -> None:
    """The local broker knows no SASL: whoever insists on it is told within the time that a missing broker takes."""
    properties = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "me"}
    said = vss(
        *("topics", "list", "--bootstrap-servers", own_fleet.addresses.bootstrap_servers),
        env={"VSS_KAFKA__PROPERTIES": orjson.dumps(properties | {"sasl.password": "hunter2"}).decode()},
    )
    said.is_a_clear_failure()
    assert "hunter2" not in said.out + said.err
