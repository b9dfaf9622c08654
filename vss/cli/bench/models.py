"""`vss bench models`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vss.cli.bench.options import json_option, size_option, video_option
from vss.cli.model_options import store_options
from vss.cli.progress import progress
from vss.config import Settings
from vss.errors import ConfigError

if TYPE_CHECKING:
    from vss.bench.models import Device, ModelCost

EXAMPLES = """\b
Example:
  vss bench models
  vss bench models --model yolov8n.onnx --batches 1,8,32
  vss bench models --model gate@3 --model gate@4 --devices cpu --json
"""
_DEVICES = ("cpu", "cuda", "tensorrt")


def _batches(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        batches = tuple(int(part) for part in text.split(","))
    except ValueError:
        batches = ()
    if not batches or not all(1 <= batch <= 1024 for batch in batches):
        raise click.BadParameter(f"{text!r} is no list of batch sizes such as 1,4,16")
    return batches


def _devices(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    devices = tuple(part.strip() for part in text.split(","))
    for device in devices:
        if device not in _DEVICES:
            raise click.BadParameter(f"{device!r} is none of {', '.join(_DEVICES)}")
    return devices


@click.command(epilog=EXAMPLES, short_help="Measure what models take: load, warm-up, memory, batches.")
@click.option(
    "--model", "specs", multiple=True, metavar="NAME[@VERSION]|FILE", help="May be repeated.  [default: the demo's]"
)
@click.option(
    "--batches",
    callback=_batches,
    default="1,2,4,8,16,32",
    show_default=True,
    metavar="N,N",
    help="Pictures a call, of models that take any number.",
)
@click.option(
    "--devices", callback=_devices, metavar="A,B", help="Of cpu, cuda, tensorrt.  [default: cpu, and cuda if there]"
)
@size_option
@video_option
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Times each is measured.")
@click.option("--pictures", type=click.IntRange(1), default=32, show_default=True, help="In each measurement.")
@click.option("--threads", type=int, metavar="N", help="Calls under way at once on the CPU; 0 is one a core.")
@json_option
@store_options
def models(
    settings: Settings,
    specs: tuple[str, ...],
    batches: tuple[int, ...],
    devices: tuple[Device, ...] | None,
    image_size: str,
    video: Path | None,
    rounds: int,
    pictures: int,
    as_json: bool,
) -> None:
    """Measure what models take by themselves: time to load and to warm up, memory, and time a picture by batch size.

    Models, devices and batch sizes take turns, and medians of the rounds are told. Loading and memory are measured in
    processes of their own. `vss bench swap` measures a change of versions under load.
    """
    from vss.bench.frames import SIZES, make_jpegs
    from vss.bench.models import bench_models
    from vss.demo import CONVEYOR_MODEL
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model

    configure(level="WARNING")
    if len(set(specs)) != len(specs):
        raise ConfigError("a model was named twice", fix="name each once")
    refs = [resolve_model(spec, settings.model) for spec in specs or (str(CONVEYOR_MODEL),)]
    with progress("rounds", rounds) as advance:
        costs = bench_models(
            refs,
            settings.model,
            make_jpegs(video, SIZES[image_size]),
            devices=devices,
            batches=batches,
            rounds=rounds,
            pictures=pictures,
            on_step=advance,
        )
    if as_json:
        click.echo(json.dumps([_document(cost) for cost in costs], indent=2))
    else:
        _show(costs)


def _document(cost: ModelCost) -> dict[str, Any]:
    return {
        "model": cost.ref.name,
        "version": cost.ref.version,
        "file": str(cost.ref.file),
        "device": cost.device,
        "providers": cost.providers,
        "callers": cost.callers,
        "load_ms": round(cost.load.load_s * 1000, 2),
        "warm_ms": round(cost.load.warm_s * 1000, 2),
        "resident_bytes": cost.resident_bytes,
        "device_bytes": cost.device_bytes,
        "batches": [
            {
                "batch": one.batch,
                "cpu_ms_a_picture": round(one.cpu_ms, 3),
                "ms_a_picture": round(one.wall_ms, 3),
                "ms_a_call": round(one.call_ms, 3),
            }
            for one in cost.batches
        ],
    }


def _show(costs: list[ModelCost]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    for cost in costs:
        console.print(
            f"[bold]{cost.ref.name}@{cost.ref.version}[/] on {cost.providers[0]}, {cost.callers} callers:"
            f" load {cost.load.load_s * 1000:.0f} ms, warm-up {cost.load.warm_s * 1000:.0f} ms,"
            f" memory {cost.resident_bytes / 1e6:.0f} MB"
        )
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for column in ("pictures a call", "CPU ms a picture", "ms a picture", "pictures/s", "ms a call"):
            table.add_column(column, justify="right", no_wrap=True)
        for one in cost.batches:
            speed = 1000 / one.wall_ms if one.wall_ms else 0.0
            table.add_row(
                str(one.batch), f"{one.cpu_ms:.2f}", f"{one.wall_ms:.2f}", f"{speed:.1f}", f"{one.call_ms:.1f}"
            )
        console.print(table)
        console.print()
