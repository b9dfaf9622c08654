"""Starts and kills the RTSP camera of `gst_rtsp_server.py`."""

from __future__ import annotations

import subprocess
from pathlib import Path

PYTHON = Path("/usr/bin/python3")
_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


def why_not() -> str:
    """Why this machine cannot run the server; empty when it can."""
    if not PYTHON.exists():
        return f"no {PYTHON}, whose GStreamer bindings make the RTSP camera"
    probe = subprocess.run([PYTHON, "-c", _PROBE], capture_output=True, timeout=60, check=False)
    if probe.returncode == 0:
        return ""
    return (
        f"{PYTHON} has no GstRtspServer; on Debian: apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi "
        "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly"
    )


class RtspServer:
    """One run of the server. `kill` leaves its port free for the next."""

    def __init__(self, clip: Path, port: int = 0) -> None:
        script = Path(__file__).with_name("gst_rtsp_server.py")
        self._process = subprocess.Popen([PYTHON, script, clip, str(port)], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the RTSP server did not start"
        self.port = int(line)

    @property
    def url(self) -> str:
        return f"rtsp://admin:hunter2@127.0.0.1:{self.port}/stream"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
