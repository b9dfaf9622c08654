"""What `vss models` prints about a model, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vss.model_store.facts import ModelFacts
    from vss.model_store.resolve import ModelRef
    from vss.model_store.storage.place import StoredVersion

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def document(ref: ModelRef, facts: ModelFacts) -> dict[str, Any]:
    """All about one version."""
    from vss.model_store.checksums import sha256_of

    return {
        "name": ref.name,
        "version": ref.version,
        "file": str(ref.file),
        "size_bytes": ref.file.stat().st_size,
        "sha256": sha256_of(ref.file),
        "task": ref.manifest.task,
        "head": facts.head,
        "input": {"width": facts.input_wh[0], "height": facts.input_wh[1]},
        "labels": list(facts.labels),
        "manifest": ref.manifest.model_dump(mode="json"),
    }


def summary(name: str, held: list[StoredVersion]) -> dict[str, Any]:
    """A model and its versions."""
    return {
        "name": name,
        "latest": held[-1].version,
        "versions": [
            {
                "version": one.version,
                "size_bytes": one.size_bytes,
                "sha256": one.sha256,
                "added": time_text(one.added_ns),
            }
            for one in held
        ],
    }


def print_facts(ref: ModelRef, facts: ModelFacts) -> None:
    """Prints what a model is, for people."""
    shown = ", ".join(facts.labels[:6]) + (", …" if len(facts.labels) > 6 else "")
    thresholds = ref.manifest.thresholds
    for title, value in (
        ("task", ref.manifest.task),
        ("head", facts.head),
        ("input", f"{facts.input_wh[0]} × {facts.input_wh[1]}"),
        ("classes", f"{len(facts.labels)}: {shown}"),
        ("thresholds", f"confidence {thresholds.confidence}, iou {thresholds.iou}"),
        ("file", f"{ref.file} ({size_text(ref.file.stat().st_size)})"),
    ):
        click.echo(f"  {title:<11} {value}")


def size_text(size_bytes: int) -> str:
    """`12.3 MB`."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def time_text(time_ns: int) -> str:
    """RFC 3339 in UTC, to the second."""
    from vss.codecs.headers import format_time

    return format_time(time_ns)[:19] + "Z"
