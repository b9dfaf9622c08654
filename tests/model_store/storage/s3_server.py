"""A server that speaks S3, on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import fsspec.config
import requests
from moto.server import ThreadedMotoServer


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Its address; what is in it is gone afterwards."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def empty(endpoint: str) -> None:
    """Forgets every bucket."""
    requests.post(f"{endpoint}/moto-api/reset", timeout=30).raise_for_status()


def use(monkeypatch: Any, endpoint: str, **more: Any) -> None:
    """Makes `s3://` mean that server, as a user's fsspec configuration would."""
    options = {"endpoint_url": endpoint, "key": "testing", "secret": "testing", **more}
    monkeypatch.setitem(fsspec.config.conf, "s3", options)
