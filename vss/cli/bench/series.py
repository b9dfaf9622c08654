"""`vss bench series`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from vss.cli.bench.options import json_option, names_no_cluster, rounds_option, threads_option
from vss.cli.numbers import FiniteRange
from vss.cli.options import fleet_options, override
from vss.config import Settings

if TYPE_CHECKING:
    from vss.bench.telemetry.series import SeriesBench, SeriesRound

EXAMPLES = """\b
Example:
  vss bench series --model pump
  vss bench series --model pump.onnx --rate 1000 --seconds 20
  vss bench series --model pump@3 --memory-sensors 10000 --seconds 0 --json
"""


@click.command(epilog=EXAMPLES, short_help="Measure what a worker that looks at windows costs beside its model.")
@click.option("--model", "spec", required=True, metavar="NAME[@VERSION]|FILE", help="A model of the store or a file.")
@click.option("--sensors", type=click.IntRange(1), default=16, show_default=True, help="Sensors the readings are of.")
@click.option("--windows", type=click.IntRange(64), default=8192, show_default=True, help="Windows in each round.")
@rounds_option
@click.option(
    "--seconds",
    type=FiniteRange(0, 600),
    default=10.0,
    show_default=True,
    help="Measure for so long how old readings get; 0 leaves it out.",
)
@click.option(
    "--rate", type=FiniteRange(1, 1e6), metavar="N", help="At so many readings a second.  [default: half of the speed]"
)
@click.option(
    "--memory-sensors",
    type=click.IntRange(1),
    metavar="N",
    help="Measure the memory of a worker with windows of so many sensors.  [default: leave it out]",
)
@threads_option
@json_option
@fleet_options
def series(
    settings: Settings,
    spec: str,
    sensors: int,
    windows: int,
    rounds: int,
    seconds: float,
    rate: float | None,
    memory_sensors: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure what a worker that looks at windows of readings costs beside its model.

    Runs the whole worker, from the topic to the committed event of each reading, in turn with the model alone on
    windows that are ready. Then a worker as a process of its own takes readings at half of that speed, or at --rate,
    and their age is measured from the reading to when its event can be read. Starts a Kafka of its own unless
    --bootstrap-servers names one.
    """
    from vss.bench.cluster import bench_settings
    from vss.bench.telemetry.series import bench_series
    from vss.bench.telemetry.series_process import measure_ages, measure_memory, prefix_of_its_own
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model

    configure(level="WARNING")
    settings = override(settings, {"model.threads": threads})
    ref = resolve_model(spec, settings.model)
    with bench_settings(settings, own_cluster=names_no_cluster()) as own:
        report, model = bench_series(own, ref, sensors=sensors, windows=windows, rounds=rounds, on_round=_show_round)
        found = _document(report)
        if seconds:
            rate = rate or report.windows_a_second / 2
            ages = measure_ages(prefix_of_its_own(own), ref, model, sensors=sensors, rate=rate, seconds=seconds)
            found["ages"] = {
                "readings_a_second": round(ages.readings_a_second),
                "readings": ages.readings,
                "p50_ms": round(ages.p50_ms, 1),
                "p95_ms": round(ages.p95_ms, 1),
                "p99_ms": round(ages.p99_ms, 1),
            }
        if memory_sensors:
            memory = measure_memory(prefix_of_its_own(own), ref, model, sensors=memory_sensors)
            found["memory"] = {"sensors": memory.sensors, "resident_bytes": memory.resident_bytes}
    click.echo(json.dumps(found, indent=2) if as_json else _text(found))


def _show_round(done: SeriesRound) -> None:
    click.secho(
        f"# worker {1 / done.worker.wall_s:,.0f} windows/s, model alone {1 / done.raw.wall_s:,.0f};"
        f" CPU {done.worker.cpu_s * 1e6:.0f} and {done.raw.cpu_s * 1e6:.0f} µs a window",
        dim=True,
        err=True,
    )


def _document(report: SeriesBench) -> dict[str, Any]:
    return {
        "model": report.model,
        "kind": report.kind,
        "window": report.window,
        "features": report.features,
        "sensors": report.sensors,
        "windows": report.windows,
        "windows_a_call_alone": report.windows_a_call,
        "windows_a_second": round(report.windows_a_second),
        "speed_ratio": round(report.speed_ratio, 3),
        "cpu_ratio": round(report.cpu_ratio, 3),
        "rounds": [round(r.raw.wall_s / r.worker.wall_s, 3) for r in report.rounds],
    }


def _text(found: dict[str, Any]) -> str:
    lines = [
        f"{found['model']} ({found['kind']}), windows of {found['window']} x {found['features']}:"
        f" {found['windows_a_second']:,} windows/s, {found['speed_ratio']:.3f} of the model alone"
        f" ({found['windows_a_call_alone']} windows a call); CPU time {found['cpu_ratio']:.3f}"
    ]
    if ages := found.get("ages"):
        lines.append(
            f"at {ages['readings_a_second']:,} readings/s an event can be read {ages['p50_ms']} ms after its reading,"
            f" p95 {ages['p95_ms']} ms, p99 {ages['p99_ms']} ms"
        )
    if memory := found.get("memory"):
        lines.append(f"{memory['resident_bytes'] / 1e6:.0f} MB resident with windows of {memory['sensors']:,} sensors")
    return "\n".join(lines)
