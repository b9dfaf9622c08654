"""From a PyTorch model to an ONNX file that answers as it does: faster on a CPU, and served without PyTorch."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vss.config import ModelSettings
from vss.errors import ConfigError, ModelUnsupported
from vss.model_store.backends.load import open_model
from vss.model_store.backends.torch import TorchModel
from vss.model_store.layout import ONNX_SUFFIX
from vss.model_store.onnx_exporter import forget_origins, quiet_exporter
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.registry import step_of

OPSET: Final = 18
"""The one that PyTorch's exporter writes by itself; others it converts to. ONNX Runtime has it since 1.14."""
TOLERANCE: Final = 1e-4
"""Largest difference of an output. Both compute in float32, whose sums differ in the last digits with their order."""
_DEFAULT_SIDE: Final = 224
_MAX_BATCH: Final = 1024
_BATCHES: Final = (1, 2, 5)
_SEED: Final = 0
_INPUT: Final = "images"


@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX file that was held against the model it was made of.

    Attributes:
        file: Where it lies.
        opset: Of its operators.
        input_shape: Batch first; None takes any number.
        difference: Largest difference of an output, over random inputs of several batch sizes.
        size_bytes: Of the file.
    """

    file: Path
    opset: int
    input_shape: tuple[int | None, ...]
    difference: float
    size_bytes: int


def export_to_onnx(ref: ModelRef, settings: ModelSettings, output: Path) -> Exported:
    """Writes a model of PyTorch as an ONNX file with its weights inside, which takes any number of pictures.

    1. Load the model on the CPU.
    2. Export it to a file beside `output`, with what is known of it as metadata.
    3. Run both on the same random inputs and compare.
    4. Rename the file: from here on it exists, whole.

    Args:
        ref: Which model.
        settings: Of models.
        output: A file that does not exist yet.

    Raises:
        ConfigError: There is such a file already, it cannot be written, or onnxscript is missing.
        ModelUnsupported: It is an ONNX file already, PyTorch cannot export it, or the export answers differently.
        ModelError: The model cannot be loaded.
    """
    if ref.file.suffix.lower() == ONNX_SUFFIX:
        raise ModelUnsupported(f"{ref.file} is an ONNX file already", fix="name a model of PyTorch")
    if output.exists():
        raise ConfigError(f"{output} exists", fix="name another file with --output, or remove it")
    _need_exporter()
    plain = settings.model_copy(update={"device": "cpu", "compile": False, "features": None})
    model = TorchModel(ref, plain)  # 1
    try:
        with _staged(output) as staged:
            _write(model, ref, staged)  # 2
            exported = _compared(model, ref, staged, plain)  # 3
            size_bytes = staged.stat().st_size
            staged.replace(output)  # 4
    finally:
        model.close()
    return Exported(output, OPSET, exported[0], exported[1], size_bytes)


def _need_exporter() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError("PyTorch's exporter is not installed", fix="pip install 'vss-fleet[torch]'") from error


@contextlib.contextmanager
def _staged(output: Path) -> Iterator[Path]:
    """A file in the folder of another, which is removed unless it is renamed."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{output.name}-", suffix=ONNX_SUFFIX, dir=output.parent)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}", fix="name another file") from error
    os.close(handle)
    staged = Path(name)
    staged.chmod(0o644)
    try:
        yield staged
    finally:
        staged.unlink(missing_ok=True)


def _write(model: TorchModel, ref: ModelRef, file: Path) -> None:
    import onnx

    try:
        with quiet_exporter():
            _export(model, file)
    except Exception as error:  # the exporter's errors share no class but this
        raise ModelUnsupported(
            f"PyTorch cannot export {ref.file.name} to ONNX: {_first_line(error)}",
            fix="serve it with PyTorch, or change what the exporter does not know",
        ) from error
    document = onnx.load(file)
    forget_origins(document)
    onnx.helper.set_model_props(document, _metadata(model, ref))
    onnx.checker.check_model(document)
    onnx.save(document, file)


def _export(model: TorchModel, file: Path) -> None:
    import torch

    _, channels, height, width = _sized(model.input_shape)
    # Two pictures: a batch of one would be taken for a constant.
    batch = model.input_shape[0]
    images = torch.zeros(batch or 2, channels, height, width)
    if isinstance(model.network, torch.jit.ScriptModule):
        torch.onnx.export(  # the older exporter is the one that knows TorchScript
            model.network,
            (images,),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=[_INPUT],
            dynamic_axes=None if batch else {_INPUT: {0: "batch"}},
        )
        return
    shapes = None if batch else ({0: torch.export.Dim("batch", min=1, max=_MAX_BATCH)},)
    program = torch.onnx.export(
        model.network, (images,), dynamo=True, opset_version=OPSET, input_names=[_INPUT], dynamic_shapes=shapes
    )
    assert program is not None  # noqa: S101 - without a file it is returned
    program.save(str(file), external_data=False)


def _metadata(model: TorchModel, ref: ModelRef) -> dict[str, str]:
    metadata = dict(model.metadata) | {"producer": "vss models export"}
    # A step's name is what Ultralytics calls its task, and that is read in every ONNX file.
    metadata["task"] = step_of(ref.manifest.task)
    if ref.manifest.labels:
        metadata["names"] = str(dict(enumerate(ref.manifest.labels)))
    return metadata


def _compared(
    model: TorchModel, ref: ModelRef, file: Path, settings: ModelSettings
) -> tuple[tuple[int | None, ...], float]:
    """The shape that the ONNX file takes, and the largest difference to the model."""
    onnx_model = open_model(ModelRef(ref.name, ref.version, file, ref.manifest), settings)
    rng = np.random.default_rng(_SEED)
    differences: list[float] = []
    try:
        fixed = onnx_model.input_shape[0]
        for count in (fixed,) if fixed else _BATCHES:
            images = rng.normal(size=(count, *_sized(model.input_shape)[1:])).astype(np.float32)
            ours, theirs = onnx_model.run(images), model.run(images)
            if [output.shape for output in ours] != [output.shape for output in theirs]:
                raise ModelUnsupported(
                    f"the export of {ref.file.name} has other outputs for {count} pictures",
                    fix="serve it with PyTorch",
                )
            differences += [float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True) if a.size]
        difference = float(np.max(differences))  # NaN stays NaN, which is no agreement
        if not difference < TOLERANCE:
            raise ModelUnsupported(
                f"the export of {ref.file.name} differs from it by {difference:.2g}, more than {TOLERANCE:g}",
                fix="serve it with PyTorch",
            )
        return onnx_model.input_shape, difference
    finally:
        onnx_model.close()


def _sized(shape: tuple[int | None, ...]) -> tuple[int | None, int, int, int]:
    batch, channels, height, width = shape
    return batch, channels or 3, height or _DEFAULT_SIDE, width or _DEFAULT_SIDE


def _first_line(error: Exception) -> str:
    # What happened is the cause of what the exporter raises, which is advice in colours.
    lines = str(error.__cause__ or error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
