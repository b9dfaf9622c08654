"""A model's manifest, `{store}/{name}/model.yaml`: what its file cannot say about itself.

Every key has a default, so that most models need no manifest; `auto` leaves a question to the model's own outputs and
metadata.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vss.errors import ConfigError

MAX_MANIFEST_BYTES = 1 << 20
Positive = Annotated[float, Field(gt=0)]
Feature = Annotated[str, Field(min_length=1, max_length=200)]
Range = tuple[float, float]


class _PlainLoader(yaml.SafeLoader):
    """Without aliases, a few lines of which make more values than a machine can hold."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(problem="aliases are not read here: write the value out")
        return super().compose_node(parent, index)


class ManifestSection(BaseModel):
    """A mapping of the manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class InputSpec(ManifestSection):
    """How a picture becomes the model's input."""

    width: int | None = Field(None, ge=1, le=8192, description="Pixels; the model's own, else 640.")
    height: int | None = Field(None, ge=1, le=8192, description="Pixels; the model's own, else 640.")
    color: Literal["auto", "rgb", "bgr"] = Field("auto", description="Order of the channels.")
    scale: float | None = Field(
        None, gt=0, description="What 0..255 is multiplied by; what the head is trained on by default."
    )
    letterbox: Literal["auto", "center", "top_left"] = Field(
        "auto", description="Where the picture lies in the padded input."
    )
    pad: int = Field(114, ge=0, le=255, description="Grey level of the padding.")
    resize: int | None = Field(
        None,
        ge=1,
        le=8192,
        description="Classification: the shorter side before the centre is cropped, pixels; 8/7 of the input's.",
    )
    interpolation: Literal["bilinear", "bicubic"] = Field("bilinear", description="Classification: of that scaling.")
    mean: tuple[float, float, float] = Field(
        (0.485, 0.456, 0.406), description="Classification: taken off each channel after `scale`; ImageNet's."
    )
    std: tuple[Positive, Positive, Positive] = Field(
        (0.229, 0.224, 0.225), description="Classification: divides each channel then; ImageNet's."
    )


class Thresholds(ManifestSection):
    """What is reported unless a flag or setting says otherwise."""

    confidence: float = Field(0.5, ge=0, le=1, description="Lowest confidence.")
    iou: float = Field(0.4, ge=0, le=1, description="IoU above which boxes of a class merge.")


class SmokeSpec(ManifestSection):
    """A picture that a version must understand before it may serve."""

    image: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="Name of the picture, which lies beside `model.yaml`; a grey one by default.",
    )
    expect: tuple[str, ...] = Field((), description="Classes that must be found in it, each at least once.")


class SeriesKeys(ManifestSection):
    """What is known of a series model: changes to what its file says, or all of it where the file says nothing."""

    threshold: Positive | None = Field(None, description="Above it, a window is an anomaly.")
    levels: dict[Literal["low", "medium", "high", "critical"], Annotated[float, Field(ge=0)]] | None = Field(
        None, description="Lowest score of each severity."
    )
    ranges: dict[Feature, Range] | None = Field(None, description="Lowest and highest possible value, by feature.")
    units: dict[Feature, str] | None = Field(None, description="Of features, for people.")
    impute: Literal["hold", "mean"] | None = Field(None, description="What stands in for a missing value.")
    features: tuple[Feature, ...] | None = Field(None, description="Values of a reading, in the model's order.")
    window: int | None = Field(None, ge=1, le=100_000, description="Readings in a window.")
    period_ms: int | None = Field(None, ge=1, description="Between two readings, milliseconds.")
    fallback: tuple[float, ...] | None = Field(None, description="Mean of each feature in the training data.")
    horizon: int | None = Field(None, ge=1, le=100_000, description="Forecast: steps that are foretold.")
    level: float | None = Field(None, gt=0, lt=1, description="Forecast: share of values within the intervals.")
    kind: str | None = Field(None, max_length=100, description="What the model is, for people.")


class Manifest(ManifestSection):
    """What `model.yaml` holds."""

    task: str = Field(
        "detection",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$",
        description="What the model does: `detection`, `classification`, `anomaly`, `forecast` or a task of your own.",
    )
    architecture: str | None = Field(
        None, max_length=100, description="Of a PyTorch state dict: `resnet20-cifar` or a name of torchvision."
    )
    head: Literal["auto", "yolov5", "yolov8", "yolox", "end_to_end"] = Field(
        "auto", description="Layout of the model's output."
    )
    labels: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Class names by class id; the model's metadata, else COCO's for 80 classes, else `class_0`, ….",
    )
    input: InputSpec = InputSpec()
    output: Literal["auto", "logits", "probabilities"] = Field(
        "auto", description="Classification: what the model puts out; `auto` looks at it."
    )
    thresholds: Thresholds = Thresholds()
    smoke: SmokeSpec = SmokeSpec()
    series: SeriesKeys = SeriesKeys()
    memory_bytes: int | None = Field(
        None, ge=1, description="What it holds when loaded; estimated from the file by default."
    )
    options: dict[str, Any] = Field(default_factory=dict, description="For a task of your own.")

    @field_validator("labels", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        # Ultralytics' data.yaml writes `names` as a list or as a mapping from class id; both can be pasted here.
        if isinstance(value, dict):
            if sorted(map(str, value)) != sorted(map(str, range(len(value)))):
                raise ValueError(f"the class ids are not 0 to {len(value) - 1}")
            value = [name for _, name in sorted(value.items(), key=lambda item: int(item[0]))]
        if not isinstance(value, list | tuple):
            return value
        for name in value:
            if isinstance(name, bool):
                raise ValueError("YAML reads yes, no, on and off as true or false; put such names in quotes")
        return tuple(str(name) if isinstance(name, int | float) else name for name in value)


def read_manifest(path: Path) -> Manifest:
    """Reads and checks a manifest; an empty file is one of defaults.

    Raises:
        ConfigError: It cannot be read, is no YAML, or a key or value does not fit; names the key and, where it is
            unknown, the nearest known one.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", fix="check the file's permissions") from error
    return parse_manifest(content, str(path))


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Checks what a manifest holds.

    Args:
        content: YAML.
        where: How to speak of it.

    Raises:
        ConfigError: As `read_manifest`.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise ConfigError(f"{where} is larger than {MAX_MANIFEST_BYTES >> 20} MiB", fix="keep only a manifest's keys")
    try:
        document = yaml.load(content, Loader=_PlainLoader)  # noqa: S506 - it is a `SafeLoader`, and does less
    # RecursionError: nested thousands deep. ValueError: a date or number that YAML's own rules take and Python refuses.
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{where} is no YAML: {_where(error)}", fix="correct the file there") from error
    return _checked({} if document is None else document, f"{where}: ")


def with_changes(manifest: Manifest, changes: dict[str, Any]) -> Manifest:
    """The manifest with other values for some keys; None leaves one as it is, and a mapping the keys it does not name.

    Raises:
        ConfigError: A value does not fit.
    """
    changed = {key: value for key, value in changes.items() if value is not None and value != {}}
    if not changed:
        return manifest
    document = manifest.model_dump(exclude_unset=True)
    for key, value in changed.items():
        document[key] = document.get(key, {}) | value if isinstance(value, dict) else value
    return _checked(document, "")


def known_keys() -> list[str]:
    """The dotted name of every key."""
    names: list[str] = []
    for name, field in Manifest.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += [f"{name}.{key}" for key in inner.model_fields]
        else:
            names.append(name)
    return names


def _checked(document: Any, where: str) -> Manifest:
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        message, fix = _explain(error)
        raise ConfigError(f"{where}{message}", fix=fix) from error


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error) or type(error).__name__
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark is not None else problem


def _explain(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if not name:
        return "not a mapping of keys to values", "write `key: value` lines"
    if first["type"] != "extra_forbidden":
        return f"{name}: {first['msg'].removeprefix('Value error, ')}", f"give {name} a fitting value"
    # `width` at the top is best answered with `input.width`, so the last parts are compared as well.
    known = known_keys()
    by_last_part = {key.rpartition(".")[2]: key for key in known}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    near_last = difflib.get_close_matches(name.rpartition(".")[2], list(by_last_part), n=1, cutoff=0.0)
    return f"unknown key {name}", f"did you mean {near[0] if near else by_last_part[near_last[0]]}?"
