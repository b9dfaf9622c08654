from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.workers.result_cache.opened import Open, Opened
from vss.clock import Clock
from vss.config import RedisSettings


@pytest.fixture
def open_() -> Iterator[Open]:
    with ExitStack() as opened:

        def make(settings: RedisSettings, clock: Clock | None = None) -> Opened:
            one = Opened(settings, clock)
            opened.callback(one.cache.close)
            return one

        yield make


@pytest.fixture
def redis_settings(redis_url: str) -> RedisSettings:
    """The session's Redis with keys of the test's own."""
    return RedisSettings(url=redis_url, key_prefix=f"{uuid.uuid4().hex}:")


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Address of a server that accepts and sends one byte now and then, never an answer."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def serve() -> None:
            with ExitStack() as clients:
                accepted: list[socket.socket] = []
                while not ended.wait(0.02):
                    with suppress(TimeoutError):
                        accepted.append(clients.enter_context(listener.accept()[0]))
                    for client in list(accepted):
                        try:
                            client.sendall(b"*")
                        except OSError:
                            accepted.remove(client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        ended.set()
        thread.join()
