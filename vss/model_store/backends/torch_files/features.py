"""Takes what a layer puts out away from a running network: an embedding of each picture."""

from __future__ import annotations

import difflib
import threading
from typing import Any, Final

from vss.errors import ConfigError
from vss.model_store.backends.torch_files.network import Network, torch_runtime

POOLED: Final = "pooled"
# The operators of an exported program that a classifier ends in, and which of their arguments is what they see.
_LAST_OPERATORS: Final = {"linear": 0, "conv2d": 0, "convolution": 0, "addmm": 1}


class FeatureTap:
    """Where a layer leaves its output; each thread finds its own there.

    Args:
        network: What runs.
        layer: Name of a module of it, or `pooled` for what its last layer sees.

    Raises:
        ConfigError: It has no such layer, or its format lets nobody look inside.
    """

    def __init__(self, network: Network, layer: str) -> None:
        self._here = threading.local()
        if network.format == "state_dict":
            self._watch_module(network.module, layer)
        elif network.format == "program" and layer == POOLED:
            self._watch_program(network.module)
        else:
            raise ConfigError(
                f"features: the layers of this {_FORMATS[network.format]} cannot be named",
                fix="serve the state dict with its architecture, or an ONNX file",
            )

    def put(self, value: Any) -> None:
        """Keeps a layer's output for the thread that is running it."""
        self._here.value = value

    def take(self) -> Any:
        """One vector a picture, (batch, channels), from the thread's last run: averaged over pixels or tokens."""
        value = self._here.__dict__.pop("value", None)
        if value is None:
            raise ConfigError("features: that layer did not run", fix="name another layer")
        if value.ndim == _FEATURE_MAP:
            return value.mean((2, 3))
        return value.mean(1) if value.ndim == _TOKENS else value.flatten(1)

    def _watch_module(self, module: Any, layer: str) -> None:
        if layer == POOLED:
            nn = torch_runtime().nn
            last = [inner for inner in module.modules() if isinstance(inner, nn.Linear | nn.Conv2d)]
            if not last:
                raise ConfigError("features: the network has no last layer", fix="name a layer of it")
            last[-1].register_forward_pre_hook(lambda _module, inputs: self.put(inputs[0]))
            return
        names = [name for name, _ in module.named_modules() if name]
        if layer not in names:
            near = difflib.get_close_matches(layer, names, n=1, cutoff=0.0)
            raise ConfigError(f"features: the network has no layer {layer!r}", fix=f"did you mean {near[0]}?")
        module.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: self.put(output))

    def _watch_program(self, module: Any) -> None:
        calls = [node for node in module.graph.nodes if node.op == "call_function"]
        last = [node for node in calls if _operator(node) in _LAST_OPERATORS]
        if not last:
            raise ConfigError("features: the program has no last layer", fix="leave features off for this model")
        seen = last[-1].args[_LAST_OPERATORS[_operator(last[-1])]]
        with module.graph.inserting_before(last[-1]):
            module.graph.call_function(self.put, (seen,))
        module.recompile()


_FEATURE_MAP: Final = 4
_TOKENS: Final = 3
_FORMATS: Final = {"script": "TorchScript file", "program": "exported program", "state_dict": "state dict"}


def _operator(node: Any) -> str:
    """`linear` of `torch.ops.aten.linear.default`."""
    return str(node.target).split(".")[1] if str(node.target).startswith("aten.") else ""
