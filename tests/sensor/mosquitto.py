"""A real MQTT broker, Debian's mosquitto, on this machine."""

from __future__ import annotations

import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from vss.local.ports import free_ports


def mosquitto_program() -> str | None:
    """Where it is; Debian puts it where a user's PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """A broker with what the configuration says; the same port after every restart.

    Args:
        folder: For its files.
        lines: Of its configuration, below the listener.
        host: Where it listens.
    """

    def __init__(
        self, folder: Path, lines: Sequence[str] = ("allow_anonymous true",), *, host: str = "127.0.0.1"
    ) -> None:
        self.port = free_ports(1, random.Random())[0]
        self._folder = folder
        self._file = folder / "mosquitto.conf"
        # As root it would become a user who may not read the folder.
        self._file.write_text("\n".join([f"listener {self.port} {host}", "user root", "log_dest none", *lines]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = mosquitto_program()
        assert program is not None
        self._process = subprocess.Popen([program, "-c", str(self._file)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline
                assert self._process.poll() is None, "mosquitto does not start"
                threading.Event().wait(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def publish(
        self,
        messages: Sequence[tuple[str, bytes]],
        *,
        retain: bool = False,
        user: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Publishes with quality of service 1 and waits for the broker's word."""
        client = Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            client.username_pw_set(*user)
        if tls is not None:
            client.tls_set_context(tls)
        client.connect("127.0.0.1" if tls is None else "localhost", self.port)
        client.loop_start()
        try:
            for info in [client.publish(topic, payload, qos=1, retain=retain) for topic, payload in messages]:
                info.wait_for_publish(30)
                assert info.is_published()
        finally:
            client.disconnect()
            client.loop_stop()


def make_certificates(folder: Path) -> None:
    """Writes `ca.crt`, `server.crt` for localhost, and `client.crt`, each with its `.key`, and `other-ca.crt`."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for ca in ("ca", "other-ca"):
        openssl("req", "-x509", *curve, "-keyout", f"{ca}.key", "-out", f"{ca}.crt", "-days", "2", "-subj", f"/CN={ca}")
    for name, extension in (
        ("server", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ("client", "keyUsage=digitalSignature"),
    ):
        (folder / f"{name}.ext").write_text(extension + "\n")
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt",
        )  # fmt: skip
