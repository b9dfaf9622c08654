from __future__ import annotations

from pathlib import Path

import pytest

from vss.errors import ConfigError
from vss.model_store.manifest import MAX_MANIFEST_BYTES, Manifest, known_keys, read_manifest, with_changes


def manifest_of(tmp_path: Path, text: str) -> Manifest:
    path = tmp_path / "model.yaml"
    path.write_text(text, encoding="utf-8")
    return read_manifest(path)


def refused(tmp_path: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        manifest_of(tmp_path, text)
    assert caught.value.fix
    assert str(tmp_path / "model.yaml") in str(caught.value)
    return caught.value


@pytest.mark.parametrize("text", ["", "# only a comment\n", "{}"])
def test_an_empty_manifest_is_one_of_defaults(tmp_path: Path, text: str) -> None:
    manifest = manifest_of(tmp_path, text)

    assert manifest == Manifest()
    assert (manifest.thresholds.confidence, manifest.thresholds.iou) == (0.5, 0.4)
    assert (manifest.head, manifest.labels, manifest.input.pad) == ("auto", None, 114)


def test_every_key_is_read(tmp_path: Path) -> None:
    manifest = manifest_of(
        tmp_path,
        """
        task: detection
        architecture: resnet20-cifar
        head: yolox
        labels: [bolt, nut]
        input:
          width: 416
          height: 320
          color: bgr
          scale: 1.0
          letterbox: top_left
          pad: 0
          resize: 480
          interpolation: bicubic
          mean: [0.1, 0.2, 0.3]
          std: [1, 2, 3]
        output: logits
        thresholds: {confidence: 0.3, iou: 0.6}
        smoke: {image: smoke.jpg, expect: [bolt]}
        series:
          threshold: 0.5
          levels: {low: 0.5, medium: 1, high: 2, critical: 3}
          ranges: {flow: [0, 9]}
          units: {flow: l/min}
          impute: mean
          features: [flow]
          window: 24
          period_ms: 1000
          fallback: [4]
          horizon: 6
          level: 0.8
          kind: lstm
        memory_bytes: 1000
        options: {window: 3, of: {mine: [1, two]}}
        """,
    )

    assert manifest.model_dump() == {
        "task": "detection",
        "architecture": "resnet20-cifar",
        "head": "yolox",
        "labels": ("bolt", "nut"),
        "input": {
            "width": 416,
            "height": 320,
            "color": "bgr",
            "scale": 1.0,
            "letterbox": "top_left",
            "pad": 0,
            "resize": 480,
            "interpolation": "bicubic",
            "mean": (0.1, 0.2, 0.3),
            "std": (1.0, 2.0, 3.0),
        },
        "output": "logits",
        "thresholds": {"confidence": 0.3, "iou": 0.6},
        "smoke": {"image": "smoke.jpg", "expect": ("bolt",)},
        "series": {
            "threshold": 0.5,
            "levels": {"low": 0.5, "medium": 1.0, "high": 2.0, "critical": 3.0},
            "ranges": {"flow": (0.0, 9.0)},
            "units": {"flow": "l/min"},
            "impute": "mean",
            "features": ("flow",),
            "window": 24,
            "period_ms": 1000,
            "fallback": (4.0,),
            "horizon": 6,
            "level": 0.8,
            "kind": "lstm",
        },
        "memory_bytes": 1000,
        "options": {"window": 3, "of": {"mine": [1, "two"]}},
    }


def test_labels_may_be_a_mapping_from_class_id_as_ultralytics_writes_it(tmp_path: Path) -> None:
    names = ", ".join(f"{class_id}: c{class_id}" for class_id in reversed(range(12)))

    assert manifest_of(tmp_path, f"labels: {{{names}}}").labels == tuple(f"c{class_id}" for class_id in range(12))


def test_labels_with_a_gap_in_their_class_ids_are_refused(tmp_path: Path) -> None:
    assert "class ids are not 0 to 1" in str(refused(tmp_path, "labels: {0: bolt, 2: nut}"))


def test_a_number_may_be_a_label_but_a_yes_has_to_be_quoted(tmp_path: Path) -> None:
    assert manifest_of(tmp_path, "labels: [0, 1]").labels == ("0", "1")
    assert "put such names in quotes" in str(refused(tmp_path, "labels: [yes, no]"))


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ("haed: yolox", "haed", "head"),
        ("lables: [a]", "lables", "labels"),
        ("input: {widht: 3}", "input.widht", "input.width"),
        ("thresholds: {conf: 0.3}", "thresholds.conf", "thresholds.confidence"),
        ("threshold: {iou: 0.3}", "threshold", "thresholds.iou"),
        ("width: 640", "width", "input.width"),
        ("iou: 0.3", "iou", "thresholds.iou"),
        ("option: {a: 1}", "option", "options"),
        ("smoke: {expects: [a]}", "smoke.expects", "smoke.expect"),
        ("means: [0, 0, 0]", "means", "input.mean"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    tmp_path: Path, text: str, key: str, nearest: str
) -> None:
    error = refused(tmp_path, text)

    assert f"unknown key {key}" in str(error)
    assert error.fix == f"did you mean {nearest}?"
    assert nearest in known_keys()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("task: Segmentation", "task"),
        ("head: yolov3", "head"),
        ("labels: bolt", "labels"),
        ("labels: []", "labels"),
        ("input: {width: 0}", "input.width"),
        ("input: {pad: 256}", "input.pad"),
        ("input: {scale: 0}", "input.scale"),
        ("input: {std: [1, 1, 0]}", "input.std.2"),
        ("input: {mean: [1, 1]}", "input.mean.2"),
        ("input: {interpolation: lanczos}", "input.interpolation"),
        ("output: softmax", "output"),
        ("smoke: {image: ../secret.jpg}", "smoke.image"),
        ("smoke: {image: /etc/passwd}", "smoke.image"),
        ("memory_bytes: 0", "memory_bytes"),
        ("options: [1]", "options"),
        ("thresholds: {confidence: 1.5}", "thresholds.confidence"),
        ("thresholds: {iou: much}", "thresholds.iou"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_key(tmp_path: Path, text: str, key: str) -> None:
    assert f": {key}: " in str(refused(tmp_path, text))


@pytest.mark.parametrize("text", ["- a\n- b", "just words", "42"])
def test_a_manifest_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "not a mapping" in str(refused(tmp_path, text))


def test_yaml_that_does_not_parse_is_refused_with_the_line(tmp_path: Path) -> None:
    assert "line 2" in str(refused(tmp_path, "head: yolox\nlabels: [a"))


@pytest.mark.parametrize("text", ["!!python/object/apply:os.getcwd []", "[" * 20_000, "labels: [2024-99-99]"])
def test_yaml_that_wants_more_than_data_is_refused(tmp_path: Path, text: str) -> None:
    assert "no YAML" in str(refused(tmp_path, text))


def test_a_few_lines_that_unfold_to_billions_of_values_are_refused(tmp_path: Path) -> None:
    lines = ["options:", "  a0: &a0 [x, x]"]
    lines += [f"  a{depth}: &a{depth} [{', '.join([f'*a{depth - 1}'] * 9)}]" for depth in range(1, 40)]

    assert "aliases are not read" in str(refused(tmp_path, "\n".join(lines)))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_bytes(b"\x80\x81\x00\x01")

    with pytest.raises(ConfigError, match="no YAML"):
        read_manifest(tmp_path / "model.yaml")


def test_a_huge_manifest_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    assert "larger than" in str(refused(tmp_path, "#" * (MAX_MANIFEST_BYTES + 1)))


def test_a_manifest_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_manifest(tmp_path)


def test_changes_win_and_none_leaves_a_key_as_it_is() -> None:
    manifest = Manifest(head="yolox", labels=("a",))

    assert with_changes(manifest, {"head": None, "labels": None}) is manifest
    assert with_changes(manifest, {"head": None, "labels": ("b",)}) == Manifest(head="yolox", labels=("b",))
    with pytest.raises(ConfigError, match="head"):
        with_changes(manifest, {"head": "yolov3"})


@pytest.mark.parametrize("text", ["input: {scale: .inf}", "input: {mean: [.nan, 0, 0]}", "input: {std: [1, .inf, 1]}"])
def test_numbers_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="finite number"):
        read_manifest(path)
