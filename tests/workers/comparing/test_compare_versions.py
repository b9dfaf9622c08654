from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.infer.media import write_clip, write_image
from tests.model_store.classification.tiny_classifier import classifier_manifest, write_classifier
from tests.model_store.detection.tiny_models import write_model, yolov8_output
from tests.model_store.tiny_model import write_tiny_yolov8
from vss.codecs.images import Image, encode_image
from vss.config import Limits, ModelSettings
from vss.errors import ConfigError, GateFailed, UndecodableImage
from vss.model_store.comparison.gate import require_agreement
from vss.model_store.comparison.worst import Place
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.runner import Runner
from vss.workers.offline.compare import Comparison, compare_versions
from vss.workers.offline.examples import write_examples
from vss.workers.offline.frames import BadFrame, FileFrames, Frame
from vss.workers.offline.inputs import find_inputs

SETTINGS = ModelSettings(device="cpu", threads=2)
LEFT, RIGHT = (16, 32, 16, 16, 0, 0.9), (48, 32, 16, 16, 1, 0.8)


def version(number: int, file: Path, manifest: Manifest | None = None) -> ModelRef:
    return ModelRef("gate", str(number), file, manifest if manifest is not None else Manifest())


def detector(path: Path, *boxes: Any, **settings: Any) -> Path:
    return write_model(path, yolov8_output(*boxes), **settings)


def frames(count: int, level: int = 128) -> Iterator[Frame]:
    for number in range(count):
        yield Frame(Place("clip.mp4", number), Picture.decoded(np.full((64, 64, 3), level, np.uint8)))


def compare(a: ModelRef, b: ModelRef, shown: Any, **options: Any) -> Comparison:
    return compare_versions((a, b), SETTINGS, shown, memory=False, **options)


def test_a_version_agrees_with_itself_wholly(tmp_path: Path) -> None:
    ref = version(1, detector(tmp_path / "a.onnx", LEFT, RIGHT))
    found = compare(ref, ref, frames(40))
    assert (found.tally.pictures, found.tally.agreement, found.tally.largest_delta) == (40, 1.0, 0.0)
    assert found.tally.matched == 80
    assert found.worst == ()
    require_agreement(found.tally, 1.0, a="a", b="b")


def test_a_version_that_misses_a_box_is_shown_with_the_frame_it_misses_it_in(tmp_path: Path) -> None:
    whole = version(1, detector(tmp_path / "a.onnx", LEFT, RIGHT))
    half = version(2, detector(tmp_path / "b.onnx", (*LEFT[:5], 0.7)))
    found = compare(whole, half, frames(25), worst=2)
    tally = found.tally
    assert (tally.matched, tally.missed, tally.extra, tally.identical) == (25, 25, 0, 0)
    assert tally.agreement == pytest.approx(2 / 3)
    assert tally.mean_delta == pytest.approx(-0.2, abs=1e-3)
    assert [example.place.number for example in found.worst] == [0, 10]
    paths = write_examples(tmp_path / "out", found)
    assert [path.name for path in paths] == ["worst-01.png", "worst-02.png"]
    assert (found.a.label, found.b.label) == ("gate@1", "gate@2")
    assert found.a.cpu_ms > 0
    assert found.b.wall_ms > 0

    with pytest.raises(GateFailed, match=r"gate@2 agrees with gate@1 by 0\.6666, which is below 0\.9"):
        require_agreement(tally, 0.9, a="gate@1", b="gate@2")
    assert len(write_examples(tmp_path / "out", compare(whole, half, frames(5)))) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["worst-01.png"]


def test_a_version_that_fails_agrees_with_nothing(tmp_path: Path) -> None:
    good = version(1, detector(tmp_path / "a.onnx"))
    bad = version(2, detector(tmp_path / "b.onnx", one_at_a_time=True))
    # Four frames are two calls of two, which this graph cannot run; the other version finds nothing in them.
    found = compare(good, bad, frames(4))
    assert (found.a.failed, found.b.failed) == (0, 4)
    assert found.tally.agreement == 0.0
    write_examples(tmp_path / "out", found)


def test_versions_that_find_nothing_pass_no_gate(tmp_path: Path) -> None:
    ref = version(1, detector(tmp_path / "a.onnx"))
    found = compare(ref, ref, frames(3))
    assert found.tally.agreement == 1.0
    with pytest.raises(GateFailed, match="neither a nor b found anything in 3 frames"):
        require_agreement(found.tally, 0.5, a="a", b="b")


def test_classifiers_are_compared_by_their_first_class(tmp_path: Path) -> None:
    manifest = classifier_manifest()
    a = version(1, write_classifier(tmp_path / "a.onnx"), manifest)
    # Takes green for blue.
    b = version(2, write_classifier(tmp_path / "b.onnx", ((10, 0, 0), (0, 0, 10), (0, 10, 0))), manifest)

    def coloured() -> Iterator[Frame]:
        for number, bgr in enumerate([(0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 0, 200)]):
            yield Frame(Place(f"{number}.png"), Picture.decoded(np.full((32, 32, 3), bgr, np.uint8)))

    found = compare(a, b, coloured())
    assert (found.tally.matched, found.tally.missed) == (2, 2)
    assert found.tally.agreement == 0.5
    assert {str(example.place) for example in found.worst} == {"1.png", "2.png"}
    assert len(write_examples(tmp_path / "out", found)) == 2


def test_a_detector_and_a_classifier_are_not_compared(tmp_path: Path) -> None:
    a = version(1, detector(tmp_path / "a.onnx", LEFT))
    b = version(2, write_classifier(tmp_path / "b.onnx"), classifier_manifest())
    with pytest.raises(ConfigError, match=r"gate@1 \(detection\) and gate@2 \(classification\) do different things"):
        compare(a, b, frames(1))


def test_what_cannot_be_read_counts_for_neither_and_is_told(tmp_path: Path) -> None:
    model = version(1, write_tiny_yolov8(tmp_path / "tiny.onnx"))
    folder = tmp_path / "in"
    whole = write_image(folder / "a.jpg", 255, 640, 480).read_bytes()
    (folder / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "c.png").write_bytes(b"no picture")
    write_clip(folder / "d.mp4", [255] * 9)
    read = FileFrames(find_inputs([str(folder)]), every=4, limit=None, limits=Limits())
    assert read.count() == 6
    found = compare(model, model, read)
    assert (found.tally.pictures, found.unreadable) == (4, 2)
    assert {Path(bad.place.source).name for bad in found.first_unreadable} == {"b.jpg", "c.png"}


def test_where_nothing_can_be_read_there_is_no_verdict(tmp_path: Path) -> None:
    model = version(1, detector(tmp_path / "a.onnx", LEFT))
    bad = [BadFrame(Place("a.jpg"), UndecodableImage("no whole JPEG"))]
    with pytest.raises(ConfigError, match=r"none of 1 frames could be looked at; a\.jpg: no whole JPEG"):
        compare(model, model, bad)
    with pytest.raises(ConfigError, match="there is no frame to compare on"):
        compare(model, model, [])


def test_classes_that_only_one_version_knows_are_named(tmp_path: Path) -> None:
    a = version(1, write_tiny_yolov8(tmp_path / "a.onnx", labels=("bright", "rare")))
    b = version(2, write_tiny_yolov8(tmp_path / "b.onnx", labels=("bright", "never")))
    found = compare(a, b, frames(2, 255))
    assert (found.a.own_classes, found.b.own_classes) == (("rare",), ("never",))
    assert found.tally.agreement == 1.0


def test_frames_are_read_as_they_are_compared(tmp_path: Path) -> None:
    model = version(1, detector(tmp_path / "a.onnx", LEFT))
    seen: list[int] = []
    ahead = 0

    class Counting:
        """Tells how many pictures have been handed out and not yet been looked at."""

        def __iter__(self) -> Iterator[Frame]:
            nonlocal ahead
            for number in range(100):
                ahead = max(ahead, number - len(set(seen)))
                yield Frame(Place("clip.mp4", number), Picture(64, 64, self._loader(number)))

        def _loader(self, number: int) -> Any:
            def load(_at_least: tuple[int, int]) -> Image:
                seen.append(number)
                return np.zeros((64, 64, 3), np.uint8)

            return load

    assert compare(model, model, Counting()).tally.pictures == 100
    assert ahead <= 8


def test_both_versions_see_the_bytes_as_a_worker_does(tmp_path: Path) -> None:
    model = version(1, write_tiny_yolov8(tmp_path / "tiny.onnx"))
    path = tmp_path / "large.jpg"
    noise: NDArray[Any] = np.random.default_rng(0).integers(180, 255, (512, 512, 3))
    path.write_bytes(encode_image(noise.astype(np.uint8), "jpeg"))
    asked: list[tuple[int, int]] = []

    def watched(files: Sequence[Frame | BadFrame]) -> Iterator[Frame]:
        for one in files:
            assert isinstance(one, Frame)
            picture = one.picture

            def load(at_least: tuple[int, int], picture: Picture = picture) -> Image:
                asked.append(at_least)
                return picture.load(at_least)

            yield Frame(one.place, Picture(picture.width, picture.height, load))

    compare(model, model, watched(list(FileFrames(find_inputs([str(path)]), every=1, limit=None, limits=Limits()))))
    # Twice each, for the first turn warms up; never more than the model needs.
    assert asked == [(64, 64)] * 4


def test_who_begins_changes_from_turn_to_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    run = Runner.submit

    def watched(self: Runner[Any], pictures: Sequence[Picture]) -> Any:
        order.append(f"{self.version}×{len(pictures)}")
        return run(self, pictures)

    monkeypatch.setattr(Runner, "submit", watched)
    file = detector(tmp_path / "a.onnx", LEFT)
    compare(version(1, file), version(2, file), frames(20))
    # The first turn is made twice: before it counts it warms both up.
    assert order == ["1×8", "2×8", "1×8", "2×8", "2×8", "1×8", "1×4", "2×4"]
