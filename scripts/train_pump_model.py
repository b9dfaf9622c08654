"""Trains the demo's detector of a pump's anomalies on made-up normal running and writes `vss/demo/pump.onnx`.

    python scripts/train_pump_model.py              train, measure, print the figures (needs the extra `train`)
    python scripts/train_pump_model.py --evaluate   measure the committed model (onnxruntime is enough)

It is the detector that `vss train anomaly --window 40` makes, of a dozen days of the pump that the demo never shows.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path

from vss.demo import PUMP_MODEL
from vss.demo.pump import FEATURES, PERIOD_MS
from vss.demo.pump.accuracy import measure_detector
from vss.demo.pump.pump import Pump

# What is learnt from and what is measured: no seed is in both, and the demo's own pump is in neither.
TRAINING_SEEDS = range(100, 124)
TRAINING_SECONDS = 300
EVALUATION_SEEDS = range(900, 920)
WINDOW = 40
QUANTILE = 0.99999
"""Share of normal windows that shall stay below the threshold: a false alarm in half a day of five windows a second."""
CREATED = "2026-11-25T00:00:00Z"
"""Written into the file, which shall be the same whenever it is made."""


def write_days(file: Path) -> None:
    """Normal running, a sensor id a day."""
    readings = TRAINING_SECONDS * 1000 // PERIOD_MS
    with file.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(("time", "day", *FEATURES))
        for seed in TRAINING_SEEDS:
            pump = Pump(seed)
            for number in range(readings):
                table.writerow((1_772_323_200_000 + number * PERIOD_MS, seed, *pump.step().values.values()))


def train(epochs: int, threads: int, seed: int, model: Path) -> None:
    """Trains as `vss train anomaly` does; the same seed and threads give the same file."""
    from vss.training.anomaly.detector import DetectorSettings
    from vss.training.anomaly.train import train_detector
    from vss.training.data.columns import Columns
    from vss.training.data.csv_file import read_csv

    with tempfile.TemporaryDirectory(prefix="vss-pump-") as folder:
        days = Path(folder) / "days.csv"
        write_days(days)
        data = read_csv(days, Columns(sensor="day"), period_ms=PERIOD_MS)
        print(f"{data.rows} readings of {len(data.sensors)} days", flush=True)
        wanted = DetectorSettings(
            architecture="lstm-autoencoder", window=WINDOW, epochs=epochs, seed=seed, quantile=QUANTILE
        )
        made = train_detector(
            data,
            wanted,
            Path(folder),
            created=CREATED,
            device="cpu",
            threads=threads,
            on_epoch=lambda epoch, loss, held: print(f"epoch {epoch}: {loss:.4f}, held out {held:.4f}", flush=True),
        )
        model.write_bytes(made.file.read_bytes())


def main() -> None:
    """Parses, trains, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluate", action="store_true", help="only measure the committed model")
    parser.add_argument("--model", type=Path, default=PUMP_MODEL)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not options.evaluate:
        train(options.epochs, options.threads, options.seed, options.model)
    figures = measure_detector(options.model, EVALUATION_SEEDS)
    print(json.dumps({"model": options.model.name, "size_bytes": options.model.stat().st_size, **figures}))


if __name__ == "__main__":
    main()
