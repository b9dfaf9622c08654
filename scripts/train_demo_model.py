"""Trains the demo's detector on made-up conveyors and writes `vss/demo/conveyor.onnx`.

    python scripts/train_demo_model.py              train, export, print the figure (needs the extra `train`)
    python scripts/train_demo_model.py --evaluate   print the committed model's figure (onnxruntime is enough)

The network is small, convolutional and free of anchors: one cell of 8 x 8 pixels predicts the box around its middle as
distances to four sides, and a score a class. It answers as YOLOv8 does: (batch, 4 + classes, cells), boxes as cx, cy,
w, h in pixels of its input, scores after the sigmoid.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vss.demo.scene.parts import CLASSES
from vss.demo.scene.scene import Scene, TrueObject

if TYPE_CHECKING:
    import torch

MODEL = Path(__file__).parents[1] / "vss" / "demo" / "conveyor.onnx"
WIDTH, HEIGHT, STRIDE = 320, 192, 8
# What scenes are made of for what: no seed is in two of them, and the demo's own cameras use none of them.
TRAINING_SEEDS = range(10_000, 10_400)
EVALUATION_SEEDS = range(900, 912)
FRAMES_A_SCENE = 14
VISIBLE = 0.4
"""A part that is seen less than this is neither asked for nor counted wrong."""


def make_frames(seeds: range, frames: int) -> tuple[NDArray[np.uint8], list[NDArray[np.float32]]]:
    """Frames as the network sees them, and their truth.

    Returns:
        (N, HEIGHT, WIDTH, 3) uint8 RGB; and for each (M, 6) float32: class, visible, x1, y1, x2, y2 in its pixels.
    """
    images, truths = [], []
    for seed in seeds:
        rng = np.random.default_rng([seed, 7])
        scene = Scene(seed)
        for number in rng.choice(scene.frames_in_loop, frames, replace=False):
            frame, objects = scene.frame(int(number))
            # Cameras send JPEG.
            _, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 95))])
            decoded = cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB)
            how = (cv2.INTER_LINEAR, cv2.INTER_AREA)[int(rng.integers(2))]
            images.append(cv2.resize(np.asarray(decoded), (WIDTH, HEIGHT), interpolation=how))
            truths.append(_as_rows(objects, WIDTH / scene.width))
    return np.stack(images).astype(np.uint8), truths


def _as_rows(objects: list[TrueObject], scale: float) -> NDArray[np.float32]:
    rows = [[CLASSES.index(o.class_), o.visible, *(side * scale for side in o.bbox)] for o in objects]
    return np.array(rows, np.float32).reshape(-1, 6)


def augment(
    image: NDArray[np.uint8], truth: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Mirrors, moves, resizes and recolours a frame."""
    truth = truth.copy()
    if rng.random() < 0.5:
        image, truth[:, [2, 4]] = image[:, ::-1], WIDTH - truth[:, [4, 2]]
    if rng.random() < 0.5:
        image, truth[:, [3, 5]] = image[::-1], HEIGHT - truth[:, [5, 3]]
    scale = rng.uniform(0.8, 1.25)
    x = rng.uniform(-0.12, 0.12) * WIDTH + (1 - scale) * WIDTH / 2
    y = rng.uniform(-0.12, 0.12) * HEIGHT + (1 - scale) * HEIGHT / 2
    move = np.array([[scale, 0, x], [0, scale, y]])
    moved = cv2.warpAffine(np.ascontiguousarray(image), move, (WIDTH, HEIGHT), borderValue=(114, 114, 114))
    whole = truth[:, 2:] * scale + np.array([x, y, x, y])
    cut = np.clip(whole, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    left = np.prod(cut[:, 2:] - cut[:, :2], axis=1) / np.maximum(np.prod(whole[:, 2:] - whole[:, :2], axis=1), 1e-6)
    truth[:, 1] *= left
    truth[:, 2:] = cut
    truth = truth[(cut[:, 2] - cut[:, 0] > 2) & (cut[:, 3] - cut[:, 1] > 2)]
    gain = rng.uniform(0.65, 1.35) * rng.uniform(0.9, 1.1, 3)
    recoloured = np.clip(moved * gain + rng.uniform(-12, 12), 0, 255).astype(np.uint8)
    return recoloured, truth.astype(np.float32)


def assign(truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """What each cell shall say: (cells, 6) float32: class (-1 nothing, -2 do not care), weight, x1, y1, x2, y2.

    A cell belongs to the part whose middle is nearest, if it lies in the part's box and within 1.6 cells of its middle.
    """
    columns, rows = WIDTH // STRIDE, HEIGHT // STRIDE
    x = (np.tile(np.arange(columns), rows) + 0.5) * STRIDE
    y = (np.repeat(np.arange(rows), columns) + 0.5) * STRIDE
    target = np.zeros((rows * columns, 6), np.float32)
    target[:, 0] = -1
    nearest = np.full(rows * columns, np.inf)
    for row in truth[np.argsort(truth[:, 1])]:
        x1, y1, x2, y2 = row[2:]
        inside = (x > x1) & (x < x2) & (y > y1) & (y < y2)
        if row[1] < VISIBLE:
            target[inside & (target[:, 0] == -1), 0] = -2
            continue
        away = np.maximum(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2))
        mine = inside & (away < 1.6 * STRIDE) & (away < nearest)
        nearest[mine] = away[mine]
        target[mine] = [row[0], 1, x1, y1, x2, y2]
    return target


def make_network() -> torch.nn.Module:
    """The detector."""
    import torch
    from torch import Tensor, nn

    def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
        layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())

    class Residual(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.first, self.second = convolution(channels, channels), convolution(channels, channels)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = x + self.second(self.first(x))
            return out

    class CrossStage(nn.Module):
        """Half of the channels go through residual blocks, and each stage of them reaches the end."""

        def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
            super().__init__()
            self.half = outputs // 2
            self.split = convolution(inputs, outputs, 1)
            self.blocks = nn.ModuleList(Residual(self.half) for _ in range(blocks))
            self.join = convolution((2 + blocks) * self.half, outputs, 1)

        def forward(self, x: Tensor) -> Tensor:
            parts = list(torch.split(self.split(x), self.half, dim=1))
            for block in self.blocks:
                parts.append(block(parts[-1]))
            out: Tensor = self.join(torch.cat(parts, dim=1))
            return out

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fine = nn.Sequential(
                convolution(3, 16, 3, 2),
                convolution(16, 24, 3, 2),
                CrossStage(24, 24, 1),
                convolution(24, 48, 3, 2),
                CrossStage(48, 48, 2),
            )
            self.coarse = nn.Sequential(convolution(48, 64, 3, 2), CrossStage(64, 64, 2), convolution(64, 32, 1))
            self.both = CrossStage(80, 48, 1)
            self.box = nn.Sequential(convolution(48, 40), nn.Conv2d(40, 4, 1))
            self.score = nn.Sequential(convolution(48, 40), nn.Conv2d(40, len(CLASSES), 1))
            # Parts are rare among cells: start from a low score, or the first steps are spent on that alone.
            nn.init.constant_(self.score[1].bias, -math.log(99))
            columns, rows = WIDTH // STRIDE, HEIGHT // STRIDE
            x = (torch.arange(columns).repeat(rows) + 0.5) * STRIDE
            y = (torch.arange(rows).repeat_interleave(columns) + 0.5) * STRIDE
            self.middles: Tensor
            self.register_buffer("middles", torch.stack([x, y])[None])

        def raw(self, images: Tensor) -> tuple[Tensor, Tensor]:
            """Boxes (N, 4, cells) as x1, y1, x2, y2 in pixels, and scores (N, classes, cells) before the sigmoid."""
            fine = self.fine(images)
            coarse = nn.functional.interpolate(self.coarse(fine), scale_factor=2.0, mode="nearest")
            both = self.both(torch.cat([fine, coarse], dim=1))
            reach = nn.functional.softplus(self.box(both).flatten(2).float()) * STRIDE
            corners = torch.cat([self.middles - reach[:, :2], self.middles + reach[:, 2:]], dim=1)
            return corners, self.score(both).flatten(2).float()

        def forward(self, images: Tensor) -> Tensor:
            corners, scores = self.raw(images)
            middle = (corners[:, :2] + corners[:, 2:]) / 2
            return torch.cat([middle, corners[:, 2:] - corners[:, :2], scores.sigmoid()], dim=1)

    return Network()


def loss_of(answer: tuple[torch.Tensor, torch.Tensor], target: torch.Tensor) -> torch.Tensor:
    """Quality focal loss on scores (Li et al. 2020, eq. 6) and GIoU loss (Rezatofighi et al. 2019) on boxes.

    The score a cell shall give is the IoU its box has, so that the best box of a part wins the suppression.

    Args:
        answer: Boxes (N, 4, cells), and scores (N, classes, cells) before the sigmoid.
        target: (N, cells, 6), see `assign`.
    """
    import torch

    corners, scores = answer
    boxes = corners.transpose(1, 2)
    wanted = target[:, :, 2:]
    mine = target[:, :, 0] >= 0
    low = torch.maximum(boxes[mine][:, :2], wanted[mine][:, :2])
    high = torch.minimum(boxes[mine][:, 2:], wanted[mine][:, 2:])
    both = (high - low).clamp(min=0).prod(1)
    areas = [(b[:, 2:] - b[:, :2]).prod(1) for b in (boxes[mine], wanted[mine])]
    union = areas[0] + areas[1] - both
    hull = torch.maximum(boxes[mine][:, 2:], wanted[mine][:, 2:]) - torch.minimum(
        boxes[mine][:, :2], wanted[mine][:, :2]
    )
    iou = both / union.clamp(min=1e-6)
    giou = iou - (hull.prod(1) - union) / hull.prod(1).clamp(min=1e-6)
    quality = torch.zeros_like(scores).transpose(1, 2)
    quality[mine] = torch.nn.functional.one_hot(target[:, :, 0][mine].long(), len(CLASSES)) * iou.detach()[:, None]
    logits = scores.transpose(1, 2)
    focus = (quality - logits.sigmoid()).abs() ** 2
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    cared = (target[:, :, 0] > -2)[:, :, None]
    return ((focus * entropy * cared).sum() * 2 + (1 - giou).sum() * 2) / mine.sum().clamp(min=1)


def train(epochs: int, threads: int, seed: int) -> torch.nn.Module:
    """Trains from nothing; the same seed and threads give the same network."""
    import copy

    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    started = time.monotonic()
    images, truths = make_frames(TRAINING_SEEDS, FRAMES_A_SCENE)
    print(f"{len(images)} frames after {time.monotonic() - started:.0f} s", flush=True)
    network: Any = make_network().to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(network)
    print(f"{sum(p.numel() for p in network.parameters())} parameters", flush=True)
    batch = 32
    steps = epochs * (len(images) // batch)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.08)
    rng = np.random.default_rng(seed)
    step = 0
    for epoch in range(epochs):
        network.train()
        total = 0.0
        order = rng.permutation(len(images))
        for at in range(0, len(images) // batch * batch, batch):
            pairs = [augment(images[i], truths[i], rng) for i in order[at : at + batch]]
            inputs = torch.from_numpy(np.stack([image for image, _ in pairs])).permute(0, 3, 1, 2) / 255
            target = torch.from_numpy(np.stack([assign(truth) for _, truth in pairs]))
            # Half of the time where the processor multiplies bfloat16, and none of the accuracy.
            with torch.autocast("cpu", torch.bfloat16):
                answer = network.raw(inputs)
            loss = loss_of(answer, target)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimiser.step()
            schedule.step()
            step += 1
            # Averaged weights generalise better than the last ones (Tarvainen & Valpola 2017).
            keep = min(0.998, step / (step + 20))
            with torch.no_grad():
                for mean, now in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
                    if mean.dtype.is_floating_point:
                        mean.mul_(keep).add_(now, alpha=1 - keep)
                    else:
                        mean.copy_(now)
            total += loss.item()
        took = time.monotonic() - started
        print(f"epoch {epoch + 1}/{epochs}: loss {total / (len(images) // batch):.3f} after {took:.0f} s", flush=True)
    trained: torch.nn.Module = averaged.eval()
    return trained


def export(network: torch.nn.Module, path: Path) -> None:
    """Writes ONNX with any batch size, and the metadata by which readers know head and classes."""
    import onnx
    import torch

    network.to(memory_format=torch.contiguous_format)
    torch.onnx.export(
        network,
        (torch.zeros(2, 3, HEIGHT, WIDTH),),
        str(path),
        input_names=["images"],
        output_names=["output0"],
        dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(str(path))
    described = {
        "names": repr(dict(enumerate(CLASSES))),
        "task": "detect",
        "stride": str(STRIDE),
        "imgsz": repr([HEIGHT, WIDTH]),
        "description": "Parts on the demo's conveyor; made by scripts/train_demo_model.py",
        "license": "Apache-2.0",
    }
    for key, value in described.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def main() -> None:
    """Parses, trains, evaluates, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluate", action="store_true", help="only measure the committed model")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not options.evaluate:
        export(train(options.epochs, options.threads, options.seed), options.model)
    from vss.demo.accuracy import measure_accuracy

    figures = measure_accuracy(options.model, EVALUATION_SEEDS, frames_a_scene=20)
    print(json.dumps({"model": options.model.name, "size_bytes": options.model.stat().st_size, **figures}))


if __name__ == "__main__":
    main()
