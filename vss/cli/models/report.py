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

    of_input: dict[str, Any]
    if facts.input_wh is not None:
        of_input = {"input": {"width": facts.input_wh[0], "height": facts.input_wh[1]}, "labels": list(facts.labels)}
    else:
        of_input = {"series": facts.series.model_dump(mode="json") if facts.series is not None else None}
    return {
        "name": ref.name,
        "version": ref.version,
        "file": str(ref.file),
        "size_bytes": ref.file.stat().st_size,
        "sha256": sha256_of(ref.file),
        "task": ref.manifest.task,
        "facts": dict(facts.found),
        **of_input,
        "smoke": str(ref.smoke) if ref.smoke is not None else None,
        "manifest": ref.manifest.model_dump(mode="json"),
    }


def summary(name: str, held: list[StoredVersion], roles: dict[int, str | None] | None) -> dict[str, Any]:
    """A model and its versions; `roles` says which serve, None that it is not known."""
    return {
        "name": name,
        "latest": held[-1].version,
        "versions": [
            {
                "version": one.version,
                "file": one.file_name,
                "size_bytes": one.size_bytes,
                "sha256": one.sha256,
                "added": time_text(one.added_ns) if one.added_ns else None,
            }
            | ({"serves": roles.get(one.version)} if roles is not None else {})
            for one in held
        ],
    }


def print_facts(ref: ModelRef, facts: ModelFacts) -> None:
    """Prints what a model is, for people."""
    from vss.model_store.tasks.registry import task_kind

    shown = ", ".join(facts.labels[:6]) + (", …" if len(facts.labels) > 6 else "")
    manifest = ref.manifest
    rows = [("task", manifest.task)]
    if manifest.architecture is not None:
        rows.append(("architecture", manifest.architecture))
    rows += [(key, value) for key, value in facts.found.items()]
    if facts.input_wh is not None:
        rows.append(("input", f"{facts.input_wh[0]} × {facts.input_wh[1]}"))
    if facts.labels:
        rows.append(("classes", f"{len(facts.labels)}: {shown}"))
    rows += task_kind(manifest.task).describe(manifest).items()
    if ref.smoke is not None:
        rows.append(("smoke", f"{ref.smoke.name}: {', '.join(manifest.smoke.expect) or 'whatever it finds'}"))
    rows.append(("file", f"{ref.file} ({size_text(ref.file.stat().st_size)})"))
    for title, value in rows:
        click.echo(f"  {title:<11} {value}")


def run_hint(ref: ModelRef) -> str:
    """How to go on with a model that was just added."""
    from vss.model_store.tasks.registry import OURS, step_of

    if (task := ref.manifest.task) not in OURS:
        return f"see it with `vss infer {ref.name} IMAGE`"
    return f"run it with `vss worker {step_of(task)} --model {ref.name}`"


def size_text(size_bytes: int) -> str:
    """`12.3 MB`."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def time_text(time_ns: int) -> str:
    """RFC 3339 in UTC, to the second."""
    from vss.codecs.headers import format_time

    return format_time(time_ns)[:19] + "Z"
