"""Makes an archive of Java's parsed classes: the program `class_archive.py` starts.

    archive_classes.py ARCHIVE CLASS_LIST JAVA OPTION …

goes into the background at once, with low priority. It stands alone on the standard library. The archive appears
whole or not at all; several that make the same one do it once.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

NOTES_SUFFIX = ".classes"
LIMIT_S = 300.0
KEPT = 4


def make(archive: Path, notes: Path, java: list[str]) -> bool:
    """Makes the archive, tries it, puts it in its place, and returns whether it is there."""
    half = archive.with_suffix(f".{os.getpid()}.half")
    dump = [f"-XX:SharedClassListFile={notes}", f"-XX:SharedArchiveFile={half}", "-Xshare:dump"]
    attempt = [f"-XX:SharedArchiveFile={half}", "-XX:+VerifySharedSpaces", "-Xshare:on", "-version"]
    try:
        for options in (dump, attempt):
            done = subprocess.run(
                [*java, *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=LIMIT_S,
                check=False,
            )
            if done.returncode != 0:
                return False
        half.replace(archive)
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        half.unlink(missing_ok=True)


def tidy(folder: Path) -> None:
    """Removes archives of earlier Javas and jars, and what killed processes left."""
    archives = sorted(folder.glob("*.jsa"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in archives[KEPT:]:
        path.unlink(missing_ok=True)
    for path in [*folder.glob(f"*{NOTES_SUFFIX}"), *folder.glob("*.half"), *folder.glob("*.making")]:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > 2 * LIMIT_S:
                path.unlink()


def main(archive: Path, notes: Path, java: list[str]) -> None:
    """Makes the archive unless another process is doing so."""
    making = archive.with_suffix(".making")
    try:
        tidy(archive.parent)
        making.touch(exist_ok=False)
    except FileExistsError:
        notes.unlink(missing_ok=True)
        return
    try:
        if not archive.exists():
            make(archive, notes, java)
    finally:
        making.unlink(missing_ok=True)
        notes.unlink(missing_ok=True)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    os.setsid()
    os.nice(10)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
