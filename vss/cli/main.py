"""The `vss` command: finds the subcommand, turns errors into one line with the fix."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from vss import __version__
from vss.cli.lazy_group import LazyGroup, ReaderGone

# Name → where it is and what `vss --help` says, so that the help needs none of the commands' imports.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("vss.cli.up:up", "Start a local Kafka and Redis."),
    "down": ("vss.cli.down:down", "Stop the local Kafka and Redis."),
    "status": ("vss.cli.status:status", "Show whether the local Kafka and Redis run, and where."),
    "demo": ("vss.cli.demo:demo", "Run the whole fleet on this machine for a while and show what it does."),
    "topics": ("vss.cli.topics:topics", "Create, list and describe the fleet's topics."),
    "camera": ("vss.cli.camera:camera", "Publish frames of one or many cameras."),
    "sensor": ("vss.cli.sensor:sensor", "Publish readings of one or many sensors."),
    "worker": ("vss.cli.worker.group:worker", "Run a worker: detect, classify, anomaly, forecast, cache, …"),
    "infer": ("vss.cli.infer:infer", "Run a model on images, folders and videos, without Kafka."),
    "tail": ("vss.cli.tail:tail", "Follow a topic."),
    "latest": ("vss.cli.latest:latest", "Show the latest result of a camera or sensor."),
    "audit": ("vss.cli.audit:audit", "Check that every frame and reading has exactly one outcome."),
    "models": ("vss.cli.models.group:models", "Add, activate, compare and convert models of the store."),
    "train": ("vss.cli.train.group:train", "Train models on readings: anomaly or forecast."),
    "evaluate": ("vss.cli.evaluate.group:evaluate", "Measure models of readings by public benchmarks' protocols."),
    "doctor": ("vss.cli.doctor:doctor", "Check broker, topics, Redis and model, and name the fix of each failure."),
    "schemas": ("vss.cli.schemas:schemas", "Print JSON Schema and AsyncAPI of everything that travels."),
    "bench": ("vss.cli.bench.group:bench", "Measure the fleet on this machine."),
}


# Outside the docstring, which may hold no backslash: `\b` keeps click from filling the lines.
EXAMPLES = """\b
Example:
  vss up                                         start a local Kafka and Redis
  vss topics create
  vss camera gate rtsp://192.168.1.20/stream &   publish a camera
  vss worker detect --model yolo.onnx &          detect, one event a frame
  vss tail detections                            watch
"""


@click.group(
    cls=LazyGroup,
    modules=COMMANDS,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--debug", is_flag=True, envvar="VSS_DEBUG", help="Show tracebacks and debug logs.")
@click.version_option(__version__, prog_name="vss")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """A Kafka-driven fleet of inference workers for cameras and sensors."""
    ctx.obj = debug


def main(argv: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 well, 1 failed, 2 the user can fix it."""
    arguments = sys.argv[1:] if argv is None else argv
    debug = "--debug" in arguments or bool(os.environ.get("VSS_DEBUG"))
    # `vss worker detect --debug` means the same as `vss --debug worker detect`.
    arguments = (["--debug"] if debug else []) + [argument for argument in arguments if argument != "--debug"]
    try:
        code: Any = cli.main(arguments, prog_name="vss", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.UsageError as error:
        _print("error", "red", error.format_message())
        _print("fix", "green", f"see `{error.ctx.command_path if error.ctx else 'vss'} --help`")
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _print("error", "red", error.format_message())
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except ReaderGone:
        # What is still buffered goes nowhere, rather than failing once more at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        _explain(error, debug)
        sys.exit(getattr(error, "exit_code", 1))
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception, debug: bool) -> None:
    from vss.errors import VssError
    from vss.masking import mask_text

    if debug:
        import traceback

        click.echo(mask_text("".join(traceback.format_exception(error))), err=True, nl=False)
    if isinstance(error, VssError):
        _print("error", "red", mask_text(str(error)))
        if error.fix:
            _print("fix", "green", mask_text(error.fix))
    else:
        _print("error", "red", f"unexpected {type(error).__name__}: {mask_text(str(error))}")
        _print("fix", "green", "this is a bug: run again with --debug and report what it prints")


def _print(word: str, colour: str, text: str) -> None:
    click.secho(f"{word + ':':<7}", fg=colour, bold=True, nl=False, err=True)
    click.echo(text, err=True)
