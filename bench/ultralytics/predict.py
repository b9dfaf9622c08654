"""Runs Ultralytics' predict over a folder of JPEGs and prints one JSON object; needs only what setup.sh installs."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("YOLO_AUTOINSTALL", "false")

import cv2
import numpy as np
from ultralytics import YOLO

WARM_UP = 8


def main() -> None:
    """Decodes and predicts one picture after the other, as the library is meant to be used."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--conf", type=float, default=0.25)
    parser.add_argument("--iou", type=float, default=0.45)
    parser.add_argument("--imgsz", type=int, default=640)
    options = parser.parse_args()
    model = YOLO(options.model, task="detect")
    files = sorted(options.folder.glob("*.jpg"))
    jpegs = [np.frombuffer(file.read_bytes(), np.uint8) for file in files]

    def predict(i: int) -> object:
        image = cv2.imdecode(jpegs[i % len(jpegs)], cv2.IMREAD_COLOR)
        return model.predict(
            image, imgsz=options.imgsz, conf=options.conf, iou=options.iou, device="cpu", verbose=False
        )[0]

    for i in range(WARM_UP):
        predict(i)
    found: dict[str, list[dict[str, object]]] = {}
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    for i in range(options.frames):
        boxes = predict(i).boxes  # type: ignore[attr-defined]
        found[files[i % len(files)].name] = [
            {"class": model.names[int(c)], "class_id": int(c), "confidence": float(s), "bbox": b}
            for b, s, c in zip(boxes.xyxy.tolist(), boxes.conf.tolist(), boxes.cls.tolist(), strict=True)
        ]
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    print(json.dumps({"cpu_s": cpu_s / options.frames, "wall_s": wall_s / options.frames, "detections": found}))


if __name__ == "__main__":
    main()
