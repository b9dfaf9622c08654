"""`/metrics`, `/healthz` and `/readyz` of one process."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from vss.errors import ConfigError
from vss.logs import Logger

_REQUEST_TIMEOUT_S = 5.0

Check = Callable[[], list[str]]
"""Gives the reasons why something is not well; none when it is. Called from the endpoint's threads."""


class Endpoint:
    """Serves one process's metrics and its two checks over HTTP until it is closed.

    `/healthz` answers 200 while the process should live on, `/readyz` 200 while it does its work; each answers 503 with
    the reasons in JSON otherwise.

    Args:
        port: Where to listen; 0 picks a free one.
        registry: What `/metrics` shows.
        health: Reasons why the process should be restarted.
        readiness: Reasons why the process does not do its work.
        logger: Told the address.
        host: Interface to listen on.

    Raises:
        ConfigError: Another program listens on the port, or this user may not.
    """

    def __init__(
        self,
        port: int,
        *,
        registry: CollectorRegistry,
        health: Check,
        readiness: Check,
        logger: Logger,
        host: str = "0.0.0.0",  # noqa: S104 - scraped from other machines
    ) -> None:
        try:
            self._server = _Server((host, port), _handler(registry, {"/healthz": health, "/readyz": readiness}))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(
                f"metrics cannot be served on port {port}: {reason}",
                fix="choose another --metrics-port; 0 picks a free one",
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        self._thread.start()
        logger.info("serving metrics", port=self.port, paths=["/metrics", "/healthz", "/readyz"])

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stops serving. Idempotent."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # A second process on the same port would silently share it where the system allows that.
    allow_reuse_port = False


def _handler(registry: CollectorRegistry, checks: dict[str, Check]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        # A client that connects and says nothing must not hold a thread for ever.
        timeout = _REQUEST_TIMEOUT_S
        server_version = "vss"
        sys_version = ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept") or "")
                self._answer(HTTPStatus.OK, encode(registry), content_type)
            elif (check := checks.get(path)) is not None:
                reasons = check()
                status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
                self._answer(status, orjson.dumps({"ok": not reasons, "reasons": reasons}), "application/json")
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"try /metrics, /healthz or /readyz\n", "text/plain")

        def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """A scrape is no news."""

    return Handler
