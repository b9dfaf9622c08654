"""Installs a package with an entry point of `vss.tasks`, as pip would: a module and its dist-info."""

from __future__ import annotations

from pathlib import Path


def install(folder: Path, *, package: str, task: str, points_to: str, code: str) -> None:
    """Writes the package into a folder that is on the path.

    Args:
        folder: Made when missing.
        package: Name of the distribution; the module is called the same, with underscores.
        task: Name of the entry point.
        points_to: What it names in the module.
        code: Of the module.
    """
    module = package.replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[vss.tasks]\n{task} = {module}:{points_to}\n")
