"""Writes a trained network as an ONNX file that says of itself what it was trained with, and holds it against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import ModelCorrupt, ModelUnsupported
from vss.model_store.onnx_exporter import forget_origins, quiet_exporter
from vss.model_store.tasks.series.spec import SeriesSpec

if TYPE_CHECKING:
    import torch

INPUT: Final = "window"
OPSET: Final = 18
TOLERANCE: Final = 1e-4
"""Largest difference of an output, relative where it is above 1: both compute in float32, in another order."""
MAX_MODEL_BYTES: Final = 16_000_000
_MAX_BATCH: Final = 1 << 16
_IR_VERSION: Final = 10
"""What ONNX Runtime 1.20, the oldest we take, reads."""


def export_network(network: torch.nn.Module, window: int, features: int, outputs: Sequence[str], file: Path) -> None:
    """Writes a network that takes (n, window, features) float32 in raw units, for any n.

    Args:
        network: On the CPU.
        window: Readings of a window.
        features: Of a reading.
        outputs: Names, in the order in which the network returns them.
        file: To write.
    """
    import onnx
    import torch

    example = torch.zeros(2, window, features)  # a batch of one would be taken for a constant
    shapes = ({0: torch.export.Dim("batch", min=1, max=_MAX_BATCH)},)
    with quiet_exporter():
        program = torch.onnx.export(
            network.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(outputs),
            dynamic_shapes=shapes,
        )
        assert program is not None  # noqa: S101 - without a file it is returned
        program.save(str(file), external_data=False)
    document = onnx.load(file)
    forget_origins(document)
    save(document, file)


def save(document: Any, file: Path) -> None:
    """Checks an ONNX document and writes it.

    Raises:
        ModelUnsupported: It became larger than `MAX_MODEL_BYTES`.
    """
    import onnx

    document.ir_version = min(document.ir_version, _IR_VERSION)
    onnx.checker.check_model(document, full_check=True)
    content = document.SerializeToString()
    if len(content) >= MAX_MODEL_BYTES:
        raise ModelUnsupported(
            f"the model takes {len(content) / 1e6:.1f} MB, more than {MAX_MODEL_BYTES / 1e6:g}",
            fix="train on fewer features or with a smaller --window",
        )
    file.write_bytes(content)


def write_spec(file: Path, spec: SeriesSpec, more: Mapping[str, str] | None = None) -> None:
    """Puts into a file what it was trained with.

    Args:
        file: ONNX; changed in place.
        spec: What.
        more: Further metadata.
    """
    import onnx

    document = onnx.load(file)
    onnx.helper.set_model_props(document, {**(more or {}), **spec.to_metadata()})
    save(document, file)


def metadata_of(file: Path) -> dict[str, str]:
    """What was written into a file beside the model.

    Raises:
        ModelCorrupt: It is no ONNX file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors share no class but this
        raise ModelCorrupt(f"{file} is no ONNX file", fix="name one that `vss train` made") from error
    return dict(session.get_modelmeta().custom_metadata_map)


def run_file(file: Path, windows: NDArray[np.float32], *, batch: int = 256) -> dict[str, NDArray[np.float32]]:
    """What a file puts out, by the outputs' names.

    Args:
        file: ONNX, with one input.
        windows: (n, W, F) float32, raw units.
        batch: Windows a call.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = [session.run(names, {INPUT: windows[at : at + batch]}) for at in range(0, len(windows), batch)]
    return {name: np.concatenate([outputs[place] for outputs in found]) for place, name in enumerate(names)}


def check_same(file: Path, expected: Mapping[str, NDArray[np.float32]], windows: NDArray[np.float32]) -> float:
    """Holds a file against what it was made of.

    Args:
        file: ONNX.
        expected: By output, what it must put out.
        windows: (n, W, F) what for.

    Returns:
        The largest difference, relative where a value is above 1.

    Raises:
        ModelUnsupported: It is larger than `TOLERANCE`, or an output is missing or no number.
    """
    found = run_file(file, windows)
    largest = 0.0
    for name, values in expected.items():
        if name not in found or found[name].shape != values.shape:
            raise ModelUnsupported(f"the export of the model has no output {name} of its shape", fix="report it")
        difference = float(np.max(np.abs(found[name] - values) / np.maximum(1.0, np.abs(values))))
        if not difference < TOLERANCE:  # NaN is no agreement
            raise ModelUnsupported(
                f"the export's {name} differs from the model by {difference:.2g}, more than {TOLERANCE:g}",
                fix="train again with another --seed",
            )
        largest = max(largest, difference)
    return largest
