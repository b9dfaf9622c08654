"""Prints readings of the made-up pump, for files to train on and to try things with.

python -m vss.demo.pump --seconds 1200 > normal.csv
python -m vss.demo.pump --from 1200 --seconds 1320 --fault-at 1290 > live.csv
python -m vss.demo.pump --live --fault-at 60 | vss sensor pump -
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import threading

from vss.clock import Clock, SystemClock
from vss.codecs.headers import format_time
from vss.demo.pump import FEATURES, PERIOD_MS
from vss.demo.pump.pump import Fault, Pump

_NEVER = threading.Event()


def print_table(pump: Pump, readings: int, fault: Fault, *, first: int, start_ms: int) -> None:
    """CSV with a head, as fast as it can be made; readings before the first are made and left out."""
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(("time", *FEATURES))
    for number in range(readings):
        moment = pump.step(fault.severity(number * PERIOD_MS / 1000))
        if number >= first:
            table.writerow((format_time((start_ms + number * PERIOD_MS) * 1_000_000), *moment.values.values()))


def print_live(pump: Pump, readings: int, fault: Fault, clock: Clock) -> None:
    """JSON lines, each when it is measured."""
    began_s = clock.monotonic()
    for number in range(readings):
        moment = pump.step(fault.severity(number * PERIOD_MS / 1000))
        clock.wait(_NEVER, max(0.0, began_s + number * PERIOD_MS / 1000 - clock.monotonic()))
        sys.stdout.write(json.dumps({"ts": clock.now_ns() // 1_000_000, **moment.values}) + "\n")
        sys.stdout.flush()


def main(arguments: list[str] | None = None) -> None:
    """Parses and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m vss.demo.pump", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="how long the pump runs (600)")
    parser.add_argument(
        "--from", dest="first_s", type=float, default=0.0, metavar="S", help="leave out what is before second S (0)"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed is another day of the same pump (1)")
    parser.add_argument("--fault-at", type=float, metavar="S", help="second in which the bearing's fault starts (none)")
    parser.add_argument("--live", action="store_true", help="JSON lines in real time instead of a CSV file at once")
    given = parser.parse_args(arguments)
    fault = Fault(given.fault_at if given.fault_at is not None else float("inf"))
    pump, readings, clock = Pump(given.seed), round(given.seconds * 1000 / PERIOD_MS), SystemClock()
    if given.live:
        print_live(pump, readings, fault, clock)
    else:
        # A file always holds the same: its time is of no day in particular.
        print_table(pump, readings, fault, first=round(given.first_s * 1000 / PERIOD_MS), start_ms=1_772_323_200_000)


if __name__ == "__main__":
    main()
