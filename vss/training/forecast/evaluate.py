"""What `vss evaluate forecast` does: measures a model of the store, or one that it trains for that."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.tasks.series.spec import SeriesSpec
from vss.training.data.columns import Columns
from vss.training.data.csv_file import read_csv
from vss.training.forecast.learnt import learnt_until_ms
from vss.training.forecast.settings import ForecastSettings
from vss.training.protocols.ett import SPLIT, evaluate_ett, report

if TYPE_CHECKING:
    from vss.training.forecast.candidates import Candidate, OnEpoch


def evaluate_model(
    spec: str,
    settings: ModelSettings,
    data: Path,
    features: tuple[str, ...] | None,
    *,
    lookback: int | None = None,
    horizon: int | None = None,
) -> dict[str, Any]:
    """Measures a model that is there.

    Args:
        spec: `NAME[@VERSION]` of the store, or a file.
        settings: Which store.
        data: CSV file.
        features: Of its columns; the model's by default.
        lookback: What the model's must be, if given.
        horizon: What the model's must be, if given.

    Returns:
        What `--json` prints.

    Raises:
        ConfigError: The data does not fit the model or the protocol, or the model has seen what it would be tested on.
        ModelError: There is no such model, or it foretells nothing.
    """
    from vss.model_store.resolve import resolve_model

    ref = resolve_model(spec, settings)
    said, metadata = _said(ref.file, spec)
    for option, wanted, is_ in (("--lookback", lookback, said.window), ("--horizon", horizon, said.horizon)):
        if wanted not in (None, is_):
            raise ConfigError(f"{option} {wanted}, but the model's is {is_}", fix=f"leave {option} out")
    readings = read_csv(data, Columns(features or said.features))
    measured = evaluate_ett(ref.file, said, readings, learnt_until_ms=learnt_until_ms(metadata))
    return {"model": f"{ref.name}@{ref.version}", **report(measured, said, readings)}


def evaluate_trained(
    settings: ForecastSettings,
    data: Path,
    features: tuple[str, ...] | None,
    *,
    created: str,
    clock: Callable[[], float],
    on_epoch: OnEpoch | None = None,
    on_trained: Callable[[Candidate], None] | None = None,
) -> dict[str, Any]:
    """Trains on the months before the test months, measures, and throws the model away.

    Args:
        settings: What to train, its split the protocol's.
        data: CSV file.
        features: Of its columns; all of numbers by default.
        created: When, RFC 3339.
        clock: Monotonic seconds.
        on_epoch: Told of each epoch.
        on_trained: Told of each architecture.

    Returns:
        What `--json` prints.

    Raises:
        ConfigError: The data does not fit the protocol, or what trains is not installed.
    """
    from vss.training.forecast.train import train_forecast
    from vss.training.torch_setup import need_training

    need_training()
    if settings.split != SPLIT:
        raise ConfigError(f"split {settings.split!r} is not the protocol's", fix=f"give {SPLIT!r}")
    readings = read_csv(data, Columns(features))
    began = clock()
    with tempfile.TemporaryDirectory(prefix="vss-evaluate-") as folder:
        made = train_forecast(
            readings,
            settings,
            Path(folder),
            created=created,
            clock=clock,
            on_epoch=on_epoch,
            on_trained=on_trained,
        )
        took = clock() - began
        said, metadata = _said(made.file, "the model")
        measured = evaluate_ett(made.file, said, readings, learnt_until_ms=learnt_until_ms(metadata))
    return {
        "trained_s": round(took, 1),
        "candidates": {one.name: one.error for one in made.candidates},
        **report(measured, said, readings),
    }


def _said(file: Path, where: str) -> tuple[SeriesSpec, Mapping[str, str]]:
    """What a file says it was trained with, and all of its metadata."""
    from vss.model_store.manifest import Manifest
    from vss.model_store.tasks.series.spec import read_series_spec
    from vss.training.series_file import metadata_of

    metadata = metadata_of(file)
    return read_series_spec(metadata, Manifest(task="forecast"), where=where), metadata
