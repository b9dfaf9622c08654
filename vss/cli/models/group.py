"""`vss models`."""

from __future__ import annotations

import click

from vss.cli.lazy_group import LazyGroup

# In the order of a model's life.
COMMANDS: dict[str, tuple[str, str]] = {
    "add": ("vss.cli.models.add:add", "Check a model file and copy it into the store."),
    "list": ("vss.cli.models.list:list_", "List the models of the store."),
    "show": ("vss.cli.models.show:show", "Check a model, load it, and show what it is."),
    "verify": ("vss.cli.models.verify:verify", "Compare models with the checksums they were stored with."),
    "export": ("vss.cli.models.export:export", "Convert a PyTorch model to ONNX and hold it against the original."),
    "quantize": ("vss.cli.models.quantize:quantize", "Make a faster version of a model in 8 bits."),
    "compare": ("vss.cli.models.compare:compare", "Run two versions over the same frames and show where they differ."),
    "activate": ("vss.cli.models.activate:activate", "Make a version the one that every worker serves."),
    "rollback": ("vss.cli.models.rollback:rollback", "Go back to the version that served before."),
    "remove": ("vss.cli.models.remove:remove", "Take a version out of the store for ever."),
}


@click.group(cls=LazyGroup, modules=COMMANDS)
def models() -> None:
    """Add, activate, compare and convert models of the store."""
