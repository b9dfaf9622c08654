"""The thread of an accelerator: who calls it always gets an answer."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vss.model_store.backends.device_thread import DeviceThread


def test_a_call_after_the_end_is_refused_and_waits_for_nobody() -> None:
    thread = DeviceThread()
    assert thread.run(lambda: threading.current_thread().name) == "device"
    thread.close()
    thread.close()
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="closed"):
        pool.submit(thread.run, lambda: None).result(5)


def test_what_a_call_raises_is_raised_where_it_was_made() -> None:
    thread = DeviceThread()
    with pytest.raises(ZeroDivisionError):
        thread.run(lambda: 1 / 0)
    assert thread.run(lambda: 1) == 1
    thread.close()
