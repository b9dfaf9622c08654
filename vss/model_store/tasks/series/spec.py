"""What a series model was trained with: its features and their order, its window, and what its scores mean.

A model brings this along in its own file, as JSON under the key `vss.series` of ONNX's metadata, so that a version and
its meaning cannot come apart. `series` in the manifest changes by hand what may be changed (threshold, levels, ranges,
rule for missing values), and holds all of it for a model from elsewhere that brings nothing.
"""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from vss.errors import ConfigError, ModelError, ModelUnsupported
from vss.model_store.manifest import Feature, Manifest, ManifestSection, Positive, Range, SeriesKeys
from vss.model_store.series_task import MAX_METADATA_BYTES, METADATA_KEY
from vss.schemas.telemetry import Severity

MANUAL_THRESHOLD: Final = 0.1
"""Of an anomaly model that brings none, unless `series.threshold` says otherwise."""
LEVELS: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")
"""How bad an anomaly is, in ascending order."""
DEFAULT_LEVELS: Final = (1.0, 1.5, 2.0, 3.0)
"""Lowest score of each level, in thresholds, of a model that brings no levels of its own."""
_YEAR_MS: Final = 366 * 86_400_000
_FARTHEST_MS: Final = 1000 * _YEAR_MS
_OVERRIDES: Final = frozenset({"threshold", "levels", "ranges", "units", "impute"})
_IN_MODEL_YAML: Final = "write the keys of `series` into model.yaml (docs/models.md lists them)"
_TRAIN: Final = f"train it with `vss train`, or {_IN_MODEL_YAML}"

Layout = tuple[tuple[str, ...], int, int | None]
"""Features in their order, readings a window, milliseconds between two of them: what windows are kept by."""


class Levels(ManifestSection):
    """The lowest anomaly score of each severity, in ascending order."""

    low: float = Field(ge=0)
    medium: float = Field(ge=0)
    high: float = Field(ge=0)
    critical: float = Field(ge=0)


class Trained(ManifestSection):
    """What a version was trained on, for people."""

    data_sha256: str = Field("", max_length=64, description="Of the training data.")
    rows: int = Field(0, ge=0, description="Readings of it.")
    seed: int | None = None
    metrics: dict[str, float] = Field(default_factory=dict, description="On data that was held out.")
    created: str = Field("", max_length=40, description="When, RFC 3339.")
    torch: str | None = Field(None, max_length=100, description="Version of PyTorch.")


class SeriesSpec(ManifestSection):
    """What a series model was trained with, as a worker uses it; make it with `read_series_spec`.

    Attributes:
        features: Names of the values that a window holds, in the model's order.
        window: Readings in a window.
        period_ms: Between two readings, milliseconds; None where they came as they came.
        impute: What stands in for a missing value: the last one before it in the window, or the training mean.
        fallback: Training mean of each feature, raw units; what `hold` takes where nothing came before.
        horizon: Steps that are foretold; None for an anomaly model.
        level: Share of values that fall into a forecast's intervals, 0..1.
        threshold: Above it, a window is an anomaly.
        levels: Lowest score of each severity; multiples of the threshold where the model brings none.
        ranges: Lowest and highest value that is physically possible, by feature, raw units.
        units: Of a feature, for people.
        kind: What the model is: `lstm-autoencoder`, `isolation-forest`, `combined`, `lstm`, `transformer`, `dlinear`.
        trained: Its training; None where nothing is known of it.
    """

    features: tuple[Feature, ...] = Field(min_length=1, max_length=1000)
    window: int = Field(ge=1, le=100_000)
    period_ms: int | None = Field(None, ge=1, le=_YEAR_MS)
    impute: Literal["hold", "mean"] = "hold"
    fallback: tuple[float, ...]
    horizon: int | None = Field(None, ge=1, le=100_000)
    level: float = Field(0.9, gt=0, lt=1)
    threshold: Positive = MANUAL_THRESHOLD
    levels: Levels | None = None
    ranges: dict[Feature, Range] = Field(default_factory=dict)
    units: dict[Feature, str] = Field(default_factory=dict)
    kind: str = Field("", max_length=100)
    trained: Trained | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        known = set(self.features)
        if len(known) != len(self.features):
            twice = next(name for name in self.features if self.features.count(name) > 1)
            raise ValueError(f"features: {twice} is there twice")
        if len(self.fallback) != len(self.features):
            raise ValueError(f"fallback: {len(self.fallback)} numbers for {len(self.features)} features")
        if (self.horizon or 0) * (self.period_ms or 0) > _FARTHEST_MS:
            raise ValueError(f"horizon: {self.horizon} steps of {self.period_ms} ms are more than 1000 years")
        for key, names in (("ranges", self.ranges), ("units", self.units)):
            for name in names:
                if name not in known:
                    near = difflib.get_close_matches(name, self.features, n=1, cutoff=0.0)[0]
                    raise ValueError(f"{key}: {name} is no feature of the model; did you mean {near}?")
        for name, (low, high) in self.ranges.items():
            if not low < high:
                raise ValueError(f"ranges.{name}: {low:g} is not below {high:g}")
        if any(low > high for low, high in itertools.pairwise(self.scores_of_levels)):
            raise ValueError("levels: low, medium, high and critical do not ascend")
        return self

    @property
    def layout(self) -> Layout:
        """What windows are kept by: two models with the same can take turns on the same windows."""
        return self.features, self.window, self.period_ms

    @property
    def scores_of_levels(self) -> tuple[float, float, float, float]:
        """Lowest score of low, medium, high and critical."""
        if (own := self.levels) is not None:
            return own.low, own.medium, own.high, own.critical
        low, medium, high, critical = (self.threshold * times for times in DEFAULT_LEVELS)
        return low, medium, high, critical

    def severity(self, score: float) -> Severity:
        """How bad an anomaly of that score is; at least `low`, and `none` up to the threshold."""
        if score <= self.threshold:
            return "none"
        reached: Severity = "low"
        for level, lowest in zip(LEVELS, self.scores_of_levels, strict=True):
            if score >= lowest:
                reached = level
        return reached

    def to_metadata(self) -> dict[str, str]:
        """What goes into an ONNX file's `metadata_props`."""
        return {METADATA_KEY: self.model_dump_json(exclude_none=True)}


def read_series_spec(
    metadata: Mapping[str, str], manifest: Manifest, *, where: str = "the model", threshold: float | None = None
) -> SeriesSpec:
    """What a model says of itself, with what its manifest changes.

    Where another threshold is set by hand and no levels are, the model's own levels move with it.

    Args:
        metadata: Of the model's file.
        manifest: Of all its versions; its task says what must be there.
        where: How to speak of the model.
        threshold: Instead of any other; None leaves it to the manifest, and that to the model.

    Raises:
        ModelUnsupported: The metadata is missing or not whole, and the manifest does not say enough.
        ConfigError: The manifest says something that does not fit, or differs from the file where it must not.
    """
    own, by_hand = _metadata(metadata, where), manifest.series.model_dump(exclude_unset=True, exclude_none=True)
    if not own and not by_hand.keys() - _OVERRIDES:
        raise ModelUnsupported(
            f"{where} does not say what it was trained with: it has no metadata {METADATA_KEY}", fix=_TRAIN
        )
    if threshold is not None:
        by_hand["threshold"] = threshold
    document = own | by_hand
    if own:
        written = _validated(own, f"{METADATA_KEY} in {where}", ModelUnsupported, "train or export the model again")
        _refuse_differing(written, by_hand, where)
        if "threshold" in by_hand and "levels" not in by_hand and written.levels is not None:
            document["levels"] = _moved(written.levels, by_hand["threshold"] / written.threshold)
    spec = _validated(document, "series in model.yaml", ConfigError, "correct series in model.yaml")
    if manifest.task == "forecast":
        for key in ("horizon", "period_ms"):
            if getattr(spec, key) is None:
                raise ModelUnsupported(f"{where} does not say its {key}, which a forecast needs", fix=_TRAIN)
    return spec


def require_input(spec: SeriesSpec, input_shape: tuple[int | None, ...], where: str) -> None:
    """Holds a model's input against what it says of itself.

    Args:
        spec: What it says.
        input_shape: Of its input, batch first; None takes any number.
        where: How to speak of the model.

    Raises:
        ModelUnsupported: The input is none of (n, window, features).
    """
    shown = ", ".join("n" if n is None else str(n) for n in input_shape)
    wanted = (spec.window, len(spec.features))
    fits = len(input_shape) == 3 and all(is_ in (None, want) for is_, want in zip(input_shape[1:], wanted, strict=True))
    if not fits:
        raise ModelUnsupported(
            f"the input of {where} is ({shown}), but it says window {spec.window} and {len(spec.features)} features",
            fix=f"give it one float input of shape (n, {spec.window}, {len(spec.features)}), or correct {METADATA_KEY}",
        )
    if input_shape[0] is not None:
        raise ModelUnsupported(
            f"the input of {where} is ({shown}): it takes {input_shape[0]} windows at once and no other number",
            fix="export it with a free first axis",
        )


def differing_layout(serving: Layout, other: Layout) -> str:
    """In what two layouts differ, for people; empty where they are one."""
    (features, window, period_ms), (theirs, their_window, their_period_ms) = serving, other
    found: list[str] = []
    if features != theirs:
        found.append(_features_differ(features, theirs))
    if window != their_window:
        found.append(f"window {their_window} instead of {window}")
    if period_ms != their_period_ms:
        found.append(f"period {_period(their_period_ms)} instead of {_period(period_ms)}")
    return ", ".join(found)


def _features_differ(ours: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    lacks = [name for name in ours if name not in theirs]
    more = [name for name in theirs if name not in ours]
    if not lacks and not more:
        return f"features in the order {', '.join(theirs)} instead of {', '.join(ours)}"
    parts = [f"without {', '.join(lacks)}"] if lacks else []
    parts += [f"also {', '.join(more)}"] if more else []
    return f"features {' and '.join(parts)}"


def _period(period_ms: int | None) -> str:
    return "none" if period_ms is None else f"{period_ms} ms"


def _metadata(metadata: Mapping[str, str], where: str) -> dict[str, Any]:
    text = metadata.get(METADATA_KEY)
    if text is None:
        return {}
    fix = "train or export the model again"
    if len(text) > MAX_METADATA_BYTES:
        raise ModelUnsupported(f"{METADATA_KEY} in {where} is larger than {MAX_METADATA_BYTES >> 20} MiB", fix=fix)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelUnsupported(f"{METADATA_KEY} in {where} is no JSON: {error}", fix=fix) from error
    if not isinstance(document, dict):
        raise ModelUnsupported(f"{METADATA_KEY} in {where} is no JSON object", fix=fix)
    return document


def _refuse_differing(written: SeriesSpec, by_hand: Mapping[str, Any], where: str) -> None:
    kept = written.model_dump()
    for key in by_hand.keys() - _OVERRIDES:
        if by_hand[key] != kept[key]:
            raise ConfigError(
                f"series.{key} in model.yaml is {by_hand[key]!r:.60}, {where} was trained with {kept[key]!r:.60}",
                fix=f"remove series.{key}, which a trained model brings along",
            )


def _moved(levels: Levels, times: float) -> dict[str, float]:
    return {name: score * times for name, score in levels.model_dump().items()}


def _validated(
    document: Mapping[str, Any], where: str, error_type: type[ConfigError | ModelError], fix: str
) -> SeriesSpec:
    try:
        return SeriesSpec.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, SeriesSpec.model_fields, n=1, cutoff=0.0)[0]
            raise error_type(f"{where}: unknown key {name}", fix=f"did you mean {near}?") from error
        if first["type"] == "missing":
            raise error_type(f"{where}: {name} is missing", fix=_TRAIN) from error
        raise error_type(f"{where}: {name}: {said}" if name else f"{where}: {said}", fix=fix) from error


def known_series_keys() -> frozenset[str]:
    """Keys of the manifest's `series`; all of them are keys of a spec."""
    return frozenset(SeriesKeys.model_fields)
