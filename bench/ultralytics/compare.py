"""Compares a worker with Ultralytics' predict, in turn, on the same JPEGs and the same model; needs `make setup`.

The worker does more: it reads the frames from Kafka and commits an event for each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from vss.bench.accuracy import detect_files, read_reference
from vss.bench.cluster import bench_settings
from vss.bench.frames import SIZES, make_jpegs
from vss.bench.worker import WorkerBench
from vss.config import ModelSettings, Settings
from vss.logs import configure
from vss.metrics import Metrics
from vss.model_store.evaluation.matching import agree
from vss.model_store.resolve import resolve_model
from vss.model_store.runner.runner import Runner

HERE = Path(__file__).parent
CONFIDENCE, IOU = 0.25, 0.45
# Ultralytics scales in floats on torch where we scale in doubles, and decodes JPEGs with another library.
SAME_IOU, SAME_CONFIDENCE = 0.95, 0.02


def main() -> None:
    """Measures in turn and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--image-size", choices=list(SIZES), default="768x432")
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", default=str(HERE / ".venv" / "bin" / "python"))
    options = parser.parse_args()
    configure(level="WARNING")
    jpegs = make_jpegs(options.video, SIZES[options.image_size])
    files = {f"{i:04}.jpg": jpeg for i, jpeg in enumerate(jpegs)}
    settings = Settings(model=ModelSettings(confidence=CONFIDENCE, iou=IOU))
    ref = resolve_model(options.model, settings.model)
    metrics = Metrics()
    detector = Runner.load(ref, settings.model, metrics=metrics)
    theirs, ours = [], []
    with tempfile.TemporaryDirectory() as temporary, bench_settings(settings, own_cluster=True) as own:
        folder = Path(temporary)
        for name, jpeg in files.items():
            (folder / name).write_bytes(jpeg)
        worker = WorkerBench(own, detector, metrics)
        worker.fill(jpegs, options.frames)
        worker.work(options.frames)
        for _ in range(options.rounds):
            theirs.append(_predict(options, folder, detector.input_wh[0]))
            ours.append(worker.work(options.frames).usage)
        reference = folder / "reference.json"
        reference.write_text(json.dumps(theirs[-1]))
        wanted = {name: boxes for name, boxes in read_reference(reference).items() if name in files}
        found = detect_files(detector, {name: files[name] for name in wanted})
    detector.close()
    boxes = agree(wanted, found, iou=SAME_IOU, confidence=SAME_CONFIDENCE)
    wall = [t["wall_s"] / o.wall_s for t, o in zip(theirs, ours, strict=True)]
    cpu = [t["cpu_s"] / o.cpu_s for t, o in zip(theirs, ours, strict=True)]
    document = {
        "frames_a_second": {
            "ultralytics": round(1 / statistics.median(t["wall_s"] for t in theirs), 2),
            "worker": round(1 / statistics.median(o.wall_s for o in ours), 2),
            "worker_over_ultralytics": round(statistics.median(wall), 3),
        },
        "cpu_ms_a_frame": {
            "ultralytics": round(1000 * statistics.median(t["cpu_s"] for t in theirs), 2),
            "worker": round(1000 * statistics.median(o.cpu_s for o in ours), 2),
            "ultralytics_over_worker": round(statistics.median(cpu), 3),
        },
        "boxes": {"ultralytics": boxes.reference, "matched": boxes.matched, "extra": boxes.extra},
        "rounds": [round(ratio, 3) for ratio in wall],
    }
    print(json.dumps(document, indent=2))


def _predict(options: argparse.Namespace, folder: Path, side: int) -> dict[str, Any]:
    command = [options.python, str(HERE / "predict.py"), options.model, str(folder)]
    command += ["--frames", str(options.frames), "--conf", str(CONFIDENCE), "--iou", str(IOU), "--imgsz", str(side)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    document: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return document


if __name__ == "__main__":
    main()
