"""Options that say how a forecast is trained, for `vss train forecast` and for what `vss evaluate forecast` trains."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from vss.cli.numbers import FiniteRange
from vss.cli.progress import progress
from vss.cli.train.options import device_option, seed_option, threads_option

if TYPE_CHECKING:
    from vss.training.forecast.candidates import Candidate
    from vss.training.forecast.settings import ForecastSettings

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--arch",
        type=click.Choice(["auto", "dlinear", "lstm", "transformer"]),
        default="auto",
        show_default=True,
        help="What learns; auto trains all three and takes what does best on later readings, one or the mean of some.",
    ),
    click.option(
        "--level",
        type=FiniteRange(0, 1, min_open=True, max_open=True),
        default=0.9,
        show_default=True,
        metavar="0..1",
        help="Share of values that shall lie within their intervals.",
    ),
    click.option("--epochs", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Of each, at most."),
    click.option(
        "--budget",
        type=FiniteRange(0, min_open=True),
        default=10.0,
        show_default=True,
        metavar="MINUTES",
        help="For all networks together; an epoch that would end later is not begun.",
    ),
    seed_option,
    device_option,
    threads_option,
)


def forecast_training_options(command: F) -> F:
    """Adds them; they reach the command as one `how` argument: a function of lookback, horizon and split."""

    @functools.wraps(command)
    def wrapped(
        arch: str,
        level: float,
        epochs: int,
        budget: float,
        seed: int,
        training_device: str,
        training_threads: int | None,
        **rest: Any,
    ) -> Any:
        def how(lookback: int, horizon: int, split: str) -> ForecastSettings:
            from vss.training.forecast.settings import ForecastSettings

            return ForecastSettings(
                arch=arch,
                lookback=lookback,
                horizon=horizon,
                level=level,
                split=split,
                seed=seed,
                epochs=epochs,
                budget_s=60 * budget,
                device=training_device,
                threads=training_threads,
            )

        return command(how=how, **rest)

    decorated = cast("F", wrapped)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


@contextmanager
def watched(settings: ForecastSettings) -> Iterator[dict[str, Callable[..., None]]]:
    """A bar of epochs, as keyword arguments of what trains."""
    networks = {"auto": 2, "dlinear": 0}.get(settings.arch, 1)
    with progress("epochs", max(1, networks * settings.epochs)) as advance:

        def trained(candidate: Candidate) -> None:
            if candidate.curves.training:  # what an early end left over
                advance(settings.epochs - len(candidate.curves.training))

        yield {"on_epoch": lambda _name, _epoch, _learnt, _held: advance(1), "on_trained": trained}
