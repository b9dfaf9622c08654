"""`vss camera`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

EXAMPLES = """\b
Example:
  vss camera gate rtsp://user:password@192.168.1.20/stream --fps 10 --width 1280
  vss camera belt belt.mp4 --loop
  vss camera stills photos/ --fps 2
  vss camera desk /dev/video0
  vss camera --config cameras.toml --metrics-port 9100

\b
cameras.toml:
  [[camera]]
  id = "gate"
  source = "rtsp://user:password@192.168.1.20/stream"
  fps = 10
"""


@click.command(epilog=EXAMPLES)
@click.argument("id", required=False)
@click.argument("source", required=False)
@click.option("--fps", type=float, help="Publish at most so many frames a second; for a folder, its pace (10).")
@click.option("--width", type=int, help="Scale wider frames down to this many pixels, aspect kept.")
@click.option("--quality", type=int, help="JPEG quality, 1 to 100 (85; JPEGs of the source are passed on untouched).")
@click.option("--codec", type=click.Choice(["jpeg", "png", "raw"]), help="How frames are encoded (jpeg).")
@click.option("--loop", is_flag=True, default=None, help="Begin a file or folder again at its end, for ever.")
@click.option("--as-fast-as-possible", is_flag=True, default=None, help="Do not keep a file's own pace.")
@click.option("--buffer", type=int, help="Frames that may wait between capture and Kafka (16).")
@click.option("--timeout-s", type=float, help="Silence after which a live source has dropped (10).")
@click.option(
    "--config",
    "cameras_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Many cameras in one process: [[camera]] tables with these options; flags hold for all that say nothing else.",
)
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Serve /metrics here; 0 picks a free port.")
@click.option("--bootstrap-servers", metavar="HOST:PORT,…", help="Kafka brokers.")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), envvar="VSS_CONFIG", help="vss.toml.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a camera at the end.")
def camera(
    id: str | None,  # noqa: A002 - the argument's name in the help
    source: str | None,
    cameras_file: Path | None,
    metrics_port: int | None,
    bootstrap_servers: str | None,
    settings_file: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Publish the frames of SOURCE as camera ID, or of many cameras with --config.

    SOURCE is a video file, a folder of images, rtsp://…, http://… (MJPEG) or /dev/videoN. A file keeps its own pace and
    waits for Kafka; a live source is opened again when it drops, and its oldest frames go when Kafka is too slow.

    Ends with 0 at a file's end or when stopped, with 1 or 2 when a camera failed.
    """
    from vss.cli.feed_reports import print_reports
    from vss.cli.options import nested, settings_with
    from vss.errors import ConfigError
    from vss.logs import configure, get_logger
    from vss.metrics import Metrics
    from vss.workers.camera.config import camera_config, load_cameras
    from vss.workers.camera.process import run_cameras

    ctx = click.get_current_context()
    configure(level="DEBUG" if ctx.find_root().obj else "INFO")
    given = {name: value for name, value in options.items() if value is not None}
    if cameras_file is not None and id is None:
        configs = load_cameras(cameras_file, given)
    elif cameras_file is None and id is not None and source is not None:
        configs = [camera_config({"id": id, "source": source, **given})]
    else:
        raise ConfigError(
            "name one camera by ID and SOURCE, or many by --config", fix="for example: vss camera gate gate.mp4"
        )
    settings = settings_with(settings_file, nested({"kafka.bootstrap_servers": bootstrap_servers}))
    reports = run_cameras(
        configs, settings=settings, metrics=Metrics(), metrics_port=metrics_port, logger=get_logger("camera")
    )
    print_reports(reports, role="camera", items="frames", as_json=as_json)
