"""A detector: a model, what comes before and after it, and the threads it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import cv2
import numpy as np

from vss.codecs.images import Image
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelUnsupported
from vss.metrics import Metrics
from vss.model_store.backends.onnx import OnnxModel, usable_cores
from vss.model_store.manifest import InputSpec
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.detection.calls import Call, Detections, Pipeline
from vss.model_store.tasks.detection.coco import COCO_LABELS
from vss.model_store.tasks.detection.heads import HeadName, make_head
from vss.model_store.tasks.detection.letterbox import Letterbox
from vss.model_store.tasks.detection.objects import ObjectMaker
from vss.model_store.tasks.detection.picture import Picture
from vss.model_store.tasks.detection.recognise import class_count, fits, labels_in, recognise_head
from vss.model_store.tasks.detection.report import DetectorReport

__all__ = ["Detections", "Detector", "Picture"]

_DEFAULT_SIDE: Final = 640
# Where the model takes any number. Beyond 4 images YOLOX-nano took longer for each on the CPU (16 ms with 1, 2 or 4
# images a call, 17 with 8, 20 with 16: they no longer fit the cache); an accelerator wants more.
_CPU_BATCH: Final = 4
_ACCELERATOR_BATCH: Final = 32
# Enough to decode for an accelerator.
_ACCELERATOR_THREADS: Final = 8


class Detector:
    """Finds objects in pictures. Thread-safe; make it with `load`.

    Attributes:
        name: Of the model.
        version: Of the model.
        head: Layout of the model's output.
        labels: Class names by class id.
        input_wh: Width and height of the model's input, pixels.
        providers: What ONNX Runtime uses, first choice first.
        model: What runs.
        letterbox: How pictures become its input.
        threads: Calls under way at once.
        batch: Pictures a call may have.
    """

    def __init__(
        self,
        ref: ModelRef,
        pipeline: Pipeline,
        *,
        head: HeadName,
        labels: tuple[str, ...],
        threads: int,
    ) -> None:
        self.name = ref.name
        self.version = ref.version
        self.head = head
        self.labels = labels
        self.model = pipeline.model
        self.letterbox = pipeline.letterbox
        self.input_wh = (self.letterbox.width, self.letterbox.height)
        self.providers = self.model.providers
        self.threads = threads
        self.batch = pipeline.batch
        self._pipeline = pipeline
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="detect", initializer=_single_threaded_opencv)

    @classmethod
    def load(cls, ref: ModelRef, settings: ModelSettings, *, metrics: Metrics | None = None) -> Detector:
        """Loads a model, runs it once, and finds out what it is.

        Args:
            ref: Which, and its manifest.
            settings: Where it runs and what it reports.
            metrics: Where it is counted.

        Raises:
            ModelNotFound: There is no such file.
            ModelCorrupt: It is no model.
            ModelUnsupported: Its inputs or outputs are none we know, or not those its manifest says.
            ConfigError: onnxruntime or the device is missing, or a setting does not fit the model.
        """
        model = OnnxModel(ref.file, device=settings.device)
        spec = ref.manifest.input
        width, height = _input_size(model, spec)
        batch = model.batch or (_CPU_BATCH if model.on_cpu else _ACCELERATOR_BATCH)
        shapes = _shapes_for_one(model, width, height)
        head = ref.manifest.head
        if head == "auto":
            head = recognise_head(shapes, (width, height), model.metadata)
        elif not fits(head, shapes[0], (width, height)):
            raise ModelUnsupported(
                f"an output of shape {' × '.join(map(str, shapes[0]))} has no {head} head",
                fix="correct head in model.yaml",
            )
        labels = _labels(ref, model, class_count(head, shapes[0]))
        thresholds = ref.manifest.thresholds
        maker = ObjectMaker(
            make_head(head, (width, height)),
            suppresses=head == "end_to_end",
            labels=labels,
            confidence=settings.confidence if settings.confidence is not None else thresholds.confidence,
            iou=settings.iou if settings.iou is not None else thresholds.iou,
            classes=settings.classes,
            max_detections=settings.max_detections,
        )
        report = DetectorReport(metrics, ref.name) if metrics is not None else None
        pipeline = Pipeline(model, _letterbox(spec, head, width, height), maker, batch=batch, report=report)
        threads = settings.threads or (usable_cores() if model.on_cpu else _ACCELERATOR_THREADS)
        return cls(ref, pipeline, head=head, labels=labels, threads=threads)

    def submit(self, pictures: Sequence[Picture]) -> list[Future[Detections]]:
        """Starts decoding, inference and what follows on the detector's threads.

        Pictures share calls of the model where it takes more than one at a time. A picture that cannot be decoded fails
        alone.

        Returns:
            One future a picture. It raises what `Picture.load` raised, or `InferenceFailed`.
        """
        size = self._call_size(len(pictures))
        futures: list[Future[Detections]] = []
        for start in range(0, len(pictures), size):
            call = Call(self._pipeline, pictures[start : start + size])
            futures += call.futures
            for slot in range(len(call.futures)):
                self._pool.submit(call.prepare, slot)
        return futures

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Objects in decoded images; waits for them.

        Raises:
            InferenceFailed: The model raised.
        """
        return [future.result() for future in self.submit([Picture.decoded(image) for image in images])]

    def close(self) -> None:
        """Drops what has not started and frees the threads. Idempotent."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pipeline.forget_buffers()

    def _call_size(self, pictures: int) -> int:
        """Pictures a call: all threads shall have work before calls get larger."""
        if self._pipeline.model.batch is not None:
            return self.batch
        return max(1, min(self.batch, -(-pictures // self.threads)))


def _single_threaded_opencv() -> None:
    # The pool's threads are the parallelism; OpenCV's own would only take turns with them. A setting of the process.
    cv2.setNumThreads(1)


def _input_size(model: OnnxModel, spec: InputSpec) -> tuple[int, int]:
    def side(own: int | None, wanted: int | None, name: str) -> int:
        if own is not None and wanted is not None and own != wanted:
            raise ModelUnsupported(
                f"model.yaml says input.{name} is {wanted}, the model takes {own} alone", fix=f"remove input.{name}"
            )
        return own or wanted or _DEFAULT_SIDE

    return side(model.width, spec.width, "width"), side(model.height, spec.height, "height")


def _shapes_for_one(model: OnnxModel, width: int, height: int) -> list[tuple[int, ...]]:
    """Shapes of the outputs, found by running the model: exporters leave them open, and it warms the model up."""
    try:
        outputs = model.run(np.zeros((model.batch or 1, 3, height, width), np.float32))
    except Exception as error:  # the runtime's errors share no class but this
        raise ModelUnsupported(
            f"the model does not run on an image of {width}x{height}: {error}",
            fix="give the size it takes as input.width and input.height in model.yaml",
        ) from error
    return [tuple(output.shape) for output in outputs]


def _labels(ref: ModelRef, model: OnnxModel, classes: int | None) -> tuple[str, ...]:
    labels = ref.manifest.labels or labels_in(model.metadata)
    if labels is None:
        # Exports of YOLOX and YOLOv5 name no classes; one that tells exactly COCO's 80 apart was trained on it.
        return COCO_LABELS if classes == len(COCO_LABELS) else tuple(f"class_{i}" for i in range(classes or 0))
    if classes is not None and len(labels) != classes:
        where = "model.yaml" if ref.manifest.labels else "its metadata"
        raise ConfigError(
            f"the model tells {classes} classes apart, {where} names {len(labels)}", fix="correct labels in model.yaml"
        )
    return labels


def _letterbox(spec: InputSpec, head: HeadName, width: int, height: int) -> Letterbox:
    # YOLOX alone is trained on blue, green, red in 0..255, at the top left of its padding.
    is_yolox = head == "yolox"
    return Letterbox(
        width,
        height,
        centered=not is_yolox if spec.letterbox == "auto" else spec.letterbox == "center",
        rgb=not is_yolox if spec.color == "auto" else spec.color == "rgb",
        scale=spec.scale if spec.scale is not None else (1.0 if is_yolox else 1 / 255),
        pad=spec.pad,
    )
