"""A real HTTP camera: multipart/x-mixed-replace, as IP cameras send it."""

from __future__ import annotations

import http.server
import threading
from types import TracebackType

from tests.camera.clips import LEVELS, jpeg_of


class MjpegServer:
    """Sends picture 0, 1, 2, … to each client, in an endless round.

    Attributes:
        clients: How many came.
        pictures_each: After so many pictures a client is hung up on; None never does.
        silent: Connections stay open, but nothing more is sent.
        sent: The pictures sent, in order.
    """

    def __init__(self, *, interval_s: float = 0.02) -> None:
        self.clients = 0
        self.pictures_each: int | None = None
        self.silent = False
        self.sent: list[bytes] = []
        self._interval_s = interval_s
        self._closed = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://admin:hunter2@127.0.0.1:{self._server.server_port}/video"

    def __enter__(self) -> MjpegServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.clients += 1
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                sent = 0
                while not server._closed.wait(server._interval_s):
                    if server.pictures_each is not None and sent >= server.pictures_each:
                        return
                    if server.silent:
                        continue
                    jpeg = jpeg_of(sent % LEVELS)
                    try:
                        self.wfile.write(
                            b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n"
                            % (len(jpeg), jpeg)
                        )
                    except OSError:
                        return  # the client went
                    server.sent.append(jpeg)
                    sent += 1

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Quiet."""

        return Handler
