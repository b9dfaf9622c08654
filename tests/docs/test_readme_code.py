"""The programs in README.md that talk to the fleet from any Kafka client work against a running worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT, code_blocks
from vss.codecs.images import encode_image
from vss.config import KafkaSettings
from vss.streams.topic_admin import create_topics
from vss.testing import make_image

MODEL = ROOT / "vss" / "demo" / "conveyor.onnx"
LIMIT_S = 100


def program(which: int, servers: str, prefix: str) -> str:
    """A program of the README, on this test's broker and topics."""
    code = "\n".join(code_blocks(ROOT / "README.md", "python")[which].code)
    for written, ours in (
        ("127.0.0.1:9092", servers),
        ('"vss.', f'"{prefix}'),
        ("my-alarms", f"alarms-{prefix}"),
        # What is fine in an example of three lines is a warning, and so an error, here.
        ('open("gate.jpg", "rb").read()', '__import__("pathlib").Path("gate.jpg").read_bytes()'),
    ):
        code = code.replace(written, ours)
    return code


@pytest.fixture
def prefix(bootstrap_servers: str) -> str:
    """What the names of this test's topics start with; the topics are there."""
    prefix = f"{uuid.uuid4().hex}."
    create_topics(KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=prefix))
    return prefix


def test_a_frame_from_the_first_program_is_an_event_in_the_second(
    tmp_path: Path, bootstrap_servers: str, prefix: str
) -> None:
    (tmp_path / "gate.jpg").write_bytes(encode_image(make_image(640, 480), "jpeg"))
    produce, read = (program(which, bootstrap_servers, prefix) for which in (0, 1))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VSS_")}
    environment |= {"VSS_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers, "VSS_KAFKA__TOPIC_PREFIX": prefix}
    subprocess.run([sys.executable, "-c", produce], cwd=tmp_path, check=True, timeout=LIMIT_S)

    log = tmp_path / "worker.log"
    with (
        log.open("wb") as log_file,
        subprocess.Popen(
            [str(Path(sys.executable).with_name("vss")), "worker", "detect", "--model", str(MODEL)],
            cwd=tmp_path,
            env=environment,
            stderr=log_file,
        ) as worker,
        subprocess.Popen(
            [sys.executable, "-u", "-c", read], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as reader,
    ):
        # It reads for ever, as written; so it is ended when no event came.
        limit = threading.Timer(LIMIT_S, reader.kill)
        limit.start()
        try:
            assert reader.stdout is not None
            line = reader.stdout.readline()
        finally:
            limit.cancel()
            reader.kill()
            worker.send_signal(signal.SIGTERM)
    assert line.startswith("gate ["), log.read_text()
    assert worker.returncode == 0, log.read_text()
