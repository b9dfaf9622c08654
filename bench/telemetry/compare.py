"""Compares a worker with other stream processors, in turn, on the same topic and with the same step.

Needs `make setup`. Each peer runs in an environment of its own (`bench/quixstreams/setup.sh` and so on), as a program
of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from vss.bench.cluster import bench_settings
from vss.bench.telemetry.contest import WORKER, bench_telemetry, make_feed
from vss.cli.bench.telemetry_report import document
from vss.config import Settings
from vss.logs import configure
from vss.model_store.evaluation.usage import Usage

HERE = Path(__file__).resolve().parent
PEERS = ("quixstreams", "arroyo", "faust")
TIMEOUT_S = 600


def main() -> None:
    """Measures in turn and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=204_800)
    parser.add_argument("--sensors", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--max-batch", type=int, default=2048)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    options = parser.parse_args()
    configure(level="WARNING")
    feed = make_feed(sensors=options.sensors, readings=options.readings)
    with bench_settings(Settings(), own_cluster=True) as own:
        servers = own.kafka.bootstrap_servers
        report = bench_telemetry(
            own,
            feed,
            rounds=options.rounds,
            batch=options.max_batch,
            peers={name: Peer(name, servers, feed.readings) for name in options.peers},
            on_round=lambda name, usage: print(f"# {name}: {1 / usage.wall_s:,.0f} readings/s", file=sys.stderr),
        )
    found = document(report)
    rates = {row.name: row.readings_a_second for row in report.rows}
    found["worker_over"] = {name: round(rates[WORKER] / rates[name], 2) for name in options.peers}
    print(json.dumps(found, indent=2))


class Peer:
    """Another stream processor, in its own environment.

    Args:
        name: Of its folder.
        servers: The cluster.
        readings: How many there are.
    """

    def __init__(self, name: str, servers: str, readings: int) -> None:
        folder = HERE.parent / name
        self._command = [str(folder / ".venv" / "bin" / "python"), str(folder / "run.py"), "--servers", servers]
        self._readings = readings

    def __call__(self, source: str, target: str) -> Usage:
        """Lets it turn all readings into events; what a reading cost."""
        command = [*self._command, "--source", source, "--target", target, "--readings", str(self._readings)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S)
        said = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
        return Usage(said["cpu_s"], said["wall_s"])


if __name__ == "__main__":
    main()
