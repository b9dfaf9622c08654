"""`vss camera`."""

from __future__ import annotations

from typing import Any

import click

from vss.cli.feed_options import feed_options, run_command

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
@feed_options("camera")
def camera(
    id: str | None,  # noqa: A002 - the argument's name in the help
    source: str | None,
    **given: Any,
) -> None:
    """Publish the frames of SOURCE as camera ID, or of many cameras with --config.

    SOURCE is a video file, a folder of images, rtsp://…, http://… (MJPEG) or /dev/videoN. A file keeps its own pace and
    waits for Kafka; a live source is opened again when it drops, and its oldest frames go when Kafka is too slow.

    Ends with 0 at a file's end or when stopped, with 1 or 2 when a camera failed.
    """
    from vss.workers.camera.config import camera_config, load_cameras
    from vss.workers.camera.process import CAMERAS

    run_command(
        CAMERAS,
        given,
        id=id,
        source=source,
        one=camera_config,
        many=load_cameras,
        example="vss camera gate gate.mp4",
        items="frames",
    )
