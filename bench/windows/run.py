"""How many readings a second windows take in and give back, without Kafka, JSON or a model: CPU time of a thread.

    python bench/windows/run.py --sensors 64 --window 100 --features 2 --batch 2048 --stride 10

Readings of the sensors come in turn; each batch is taken in, its due windows are gathered, and the text to commit is
made. At the end stands the memory of the whole process.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from vss.config import WindowSettings
from vss.metrics import Metrics
from vss.schemas.envelope import TopicPartition
from vss.streams.windows.keyed_windows import KeyedWindows
from vss.streams.windows.layout import WindowLayout

PERIOD_MS = 100
PLACE = TopicPartition("readings", 0)


def resident_mb() -> float:
    """Memory of this process (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Measures what the flags say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=64)
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--features", type=int, default=2)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--stride", type=int, default=10)
    parser.add_argument("--readings", type=int, default=1_000_000)
    parser.add_argument("--disorder", type=float, default=0.0, help="Share of readings that come out of order.")
    given = parser.parse_args()

    layout = WindowLayout(tuple(f"f{i}" for i in range(given.features)), given.window, PERIOD_MS)
    settings = WindowSettings(stride=given.stride, max_rewind=4 * given.sensors * given.window + 2)
    windows = KeyedWindows(layout, settings, step="bench", metrics=Metrics())
    names = [b"sensor-%d" % i for i in range(given.sensors)]
    rng = np.random.default_rng(0)
    values = rng.normal(size=(given.batch, given.features)).astype(np.float32)
    taken_s = gathered_s = 0.0
    done = due = 0
    while done < given.readings:
        places = np.arange(done, done + given.batch)
        ts_ms = 1_700_000_000_000 + places // given.sensors * PERIOD_MS
        ts_ms -= (rng.random(given.batch) < given.disorder) * (3 * PERIOD_MS // 2)
        keys = [names[i] for i in places % given.sensors]
        begun = time.thread_time()
        taken = windows.take([(PLACE, given.batch)], keys, places, ts_ms, values)
        windows_due = time.thread_time()
        for at in range(0, len(taken.due), 1024):
            windows.gather(taken, taken.due[at : at + 1024])
        ended = time.thread_time()
        windows.memory([PLACE])
        taken_s += windows_due - begun + time.thread_time() - ended
        gathered_s += ended - windows_due
        done += given.batch
        due += len(taken.due)
    print(
        f"{done / (taken_s + gathered_s):,.0f} readings/s of CPU time, {due / max(gathered_s, 1e-9):,.0f} windows/s"
        f" gathered ({due:,} of {done:,} readings due), {resident_mb():.0f} MB"
    )


if __name__ == "__main__":
    main()
