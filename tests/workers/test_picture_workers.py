"""Whole workers on a real broker: `vss worker classify`, a cascade, and a task of one's own, each with its audit."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from tests.examples.brightness_model import EXAMPLE, make_brightness_model
from tests.faults.rig import ROOT, Rig
from tests.model_store.classification.tiny_classifier import COLOURS, write_classifier
from tests.model_store.detection.tiny_models import write_model, yolov8_output
from tests.streams.contract.world import read_committed
from vss.codecs.images import Image
from vss.schemas import topics
from vss.schemas.envelope import Message, Record
from vss.testing import make_bad_frames, make_frame
from vss.workers.checks.audit import audit

CAT, DOG = (16, 16, 16, 16, 0, 0.9), (48, 48, 16, 16, 1, 0.8)
FRAMES = 40
MANIFEST = "task: classification\ninput: {mean: [0, 0, 0], std: [1, 1, 1]}\n"
# With a folder more on the path, in which a package is installed.
PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from vss.cli.main import main; main(sys.argv[1:])"


@dataclass
class PictureRig(Rig):
    """A rig whose workers are `vss worker` with these arguments."""

    arguments: tuple[object, ...] = ()
    site: Path = ROOT

    def _command(self) -> list[str]:
        where = ["--bootstrap-servers", self.bootstrap_servers, "--group", self.group, "--no-result-cache"]
        arguments = ["worker", *map(str, self.arguments), *where, "--threads", "1", "--device", "cpu"]
        return [sys.executable, "-c", PROGRAM, str(self.site), *arguments]

    def serve(self, bad: int = 0) -> None:
        """Publishes the frames, and has one worker answer them and stop in peace."""
        # What is too large for a record of this topic never gets here.
        broken = [one for name, one in make_bad_frames().items() if name != "RecordTooLarge"][:bad]
        again = [Message(self.frames, one.key, one.value, one.headers) for one in broken]
        self.publish([coloured(self.frames, seq) for seq in range(FRAMES)] + again)
        worker = self.start_worker()
        self.wait_served(self.ends(), patience_s=60.0)
        assert self.stop(worker) == 0, self.logs()

    def records(self, topic: topics.Topic) -> list[Record]:
        return read_committed(self.bootstrap_servers, topic.name(self.prefix))


def coloured(topic: str, seq: int) -> Message:
    """All of one colour but the lower right quarter, which is of the next."""
    image: Image = np.zeros((64, 64, 3), np.uint8)
    image[..., 2 - seq % 3] = 255
    image[32:, 32:] = 0
    image[32:, 32:, 2 - (seq + 1) % 3] = 255
    return make_frame(f"camera-{seq % 4}", image, topic=topic, seq=seq, codec="png")


@pytest.fixture
def make_rig(bootstrap_servers: str, tmp_path: Path) -> Iterator[Callable[..., PictureRig]]:
    with ExitStack() as rigs:

        def make(*arguments: object, site: Path = ROOT) -> PictureRig:
            rig = PictureRig(bootstrap_servers, tmp_path, arguments=arguments, site=site)
            rigs.callback(rig.close)
            return rig

        yield make


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    (tmp_path / "colours.yaml").write_text(MANIFEST)
    return write_classifier(tmp_path / "colours.onnx")


def values(records: list[Record]) -> list[dict[str, Any]]:
    return [orjson.loads(record.value or b"null") for record in records]


def test_every_frame_is_classified_exactly_once(make_rig: Callable[..., PictureRig], classifier: Path) -> None:
    rig = make_rig("classify", "--model", classifier, "--top-k", "2", "--features", "pooled")
    rig.events = topics.CLASSIFICATIONS.name(rig.prefix)
    rig.serve(bad=3)
    events = values(rig.exactly_once())
    assert len(events) == FRAMES
    for event in events:
        # Three quarters of the picture are of the first colour.
        assert event["top_prediction"] == COLOURS[event["seq"] % 3]
        assert [one["class"] for one in event["predictions"]] == [COLOURS[(event["seq"] + i) % 3] for i in range(2)]
        assert sorted(event["embedding"]) == pytest.approx([0, 0.25, 0.75], abs=0.01)
        assert "object" not in event
    report = audit(rig.kafka, group=rig.group)
    assert (report.holds, report.events, report.dead_letters) == (True, FRAMES, 3)


def test_a_cascade_has_one_outcome_a_frame_and_an_event_for_each_object(
    make_rig: Callable[..., PictureRig], classifier: Path, tmp_path: Path
) -> None:
    names = {"names": "{0: 'cat', 1: 'dog'}"}
    detector = write_model(tmp_path / "gate.onnx", yolov8_output(CAT, DOG), metadata=names)
    rig = make_rig("detect", "--model", detector, "--then", classifier, "--then-classes", "dog")
    rig.serve(bad=3)
    events = values(rig.exactly_once())
    for event in events:
        cat, dog = event["objects"]
        assert "classification" not in cat
        # The dog's crop lies in the quarter of the other colour.
        assert dog["classification"]["predictions"][0]["class"] == COLOURS[(event["seq"] + 1) % 3]
        assert dog["classification"]["model_name"] == "colours"
    about = values(rig.records(topics.CLASSIFICATIONS))
    assert all((one["object"]["index"], one["object"]["class"]) == (1, "dog") for one in about)
    places = Counter((one["source"]["partition"], one["source"]["offset"]) for one in about)
    assert len(places) == FRAMES
    assert set(places.values()) == {1}
    report = audit(rig.kafka, group=rig.group)
    assert (report.holds, report.events, report.dead_letters) == (True, FRAMES, 3)


def test_a_task_of_one_s_own_is_served_by_a_worker(make_rig: Callable[..., PictureRig], tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(EXAMPLE / "vss_brightness", site / "vss_brightness")
    _write_dist_info(EXAMPLE / "pyproject.toml", site)
    rig = make_rig("task", "--model", make_brightness_model(tmp_path), site=site)
    rig.events = topics.RESULTS.name(rig.prefix)
    rig.serve()
    luma = {"red": 0.299, "green": 0.587, "blue": 0.114}
    for event in values(rig.exactly_once(FRAMES)):
        first, second = (luma[COLOURS[(event["seq"] + i) % 3]] for i in range(2))
        assert event["task"] == "brightness"
        assert event["result"]["brightness"] == pytest.approx(0.75 * first + 0.25 * second, abs=0.01)
    assert audit(rig.kafka, group=rig.group).holds


def _write_dist_info(pyproject: Path, site: Path) -> None:
    """What pip would make of it; that pip does is tested with the example."""
    project = tomllib.loads(pyproject.read_text())["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]["vss.tasks"].items()
    (info / "entry_points.txt").write_text("[vss.tasks]\n" + "".join(f"{name} = {to}\n" for name, to in points))
