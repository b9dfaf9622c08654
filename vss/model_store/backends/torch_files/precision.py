"""In which floating-point format a network computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vss.errors import ConfigError
from vss.model_store.backends.torch_files.network import Network, torch_runtime


@dataclass(frozen=True, slots=True)
class Precision:
    """How a network is run.

    Attributes:
        input: Type of the batch that it is given, a torch.dtype; a state dict's weights are converted to it.
        autocast: Half precision in which PyTorch computes what can be, while weights stay as they are; None for none.
    """

    input: Any
    autocast: Any = None


def precision_of(network: Network, wanted: str, *, on_cpu: bool) -> Precision:
    """The precision of a network.

    The types of a program are part of it, so it is never converted: one in half precision stays so, and one in float32
    computes with autocast.

    Args:
        network: What runs.
        wanted: `auto`, `fp32`, `fp16` or `bf16`; counts on CUDA alone. `auto` is that of the weights.
        on_cpu: Where it runs. The CPU widens a state dict to float32, which is faster there.

    Raises:
        ConfigError: The GPU cannot compute so.
    """
    torch = torch_runtime()
    halves = {"fp16": torch.float16, "bf16": torch.bfloat16}
    own = network.dtype if network.dtype in halves.values() else None
    if on_cpu:
        return Precision(torch.float32 if network.format == "state_dict" else own or torch.float32)
    half = own if wanted == "auto" else halves.get(wanted)
    if half is torch.bfloat16 and not torch.cuda.is_bf16_supported():
        raise ConfigError("this GPU cannot compute in bf16", fix="set model.precision to fp16")
    if network.format == "state_dict":
        return Precision(half or torch.float32)
    return Precision(own) if own is not None else Precision(torch.float32, autocast=half)
