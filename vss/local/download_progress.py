"""A progress bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

LINE_EACH_PERCENT = 25


@contextmanager
def download_progress(label: str, total_bytes: int, out: TextIO) -> Iterator[Callable[[int], None]]:
    """Shows a download while the block runs.

    Args:
        label: What is fetched.
        total_bytes: Its size.
        out: Where to show it.

    Yields:
        A function any thread may call with the bytes that came in, or with a negative number when they have to be
        fetched again.
    """
    if out.isatty():
        with _bar(label, total_bytes, out) as advance:
            yield advance
    else:
        yield _lines(label, total_bytes, out)


@contextmanager
def _bar(label: str, total_bytes: int, out: TextIO) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(file=out)) as progress:
        task = progress.add_task(label, total=total_bytes)
        yield lambda size_bytes: progress.advance(task, size_bytes)


def _lines(label: str, total_bytes: int, out: TextIO) -> Callable[[int], None]:
    lock = threading.Lock()
    done_bytes = 0
    next_percent = 0

    def advance(size_bytes: int) -> None:
        nonlocal done_bytes, next_percent
        with lock:
            done_bytes += size_bytes
            percent = 100 * done_bytes // max(1, total_bytes)
            if percent >= next_percent:
                out.write(f"fetching {label}, {done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB\n")
                out.flush()
                next_percent = (percent // LINE_EACH_PERCENT + 1) * LINE_EACH_PERCENT

    return advance
