"""The broker's classes as Java has parsed them, kept in the user's cache: the next start takes half the time.

Java calls this class data sharing. The first broker that runs here notes the classes it loads. When it was stopped,
`archive_classes.py` makes the archive in the background, once for a Java and a set of jars.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vss.local import archive_classes

NOTES_FILE = "classes.txt"


@dataclass(frozen=True, slots=True)
class ClassArchive:
    """The archive for one Java and one class path, made or not.

    Attributes:
        folder: Where archives are kept.
        java: The program.
        options: Those that decide whether an archive fits, such as the garbage collector.
        jars: The class path.
    """

    folder: Path
    java: Path
    options: tuple[str, ...]
    jars: Sequence[Path]

    @property
    def file(self) -> Path:
        """Where it is or will be; another file for another Java, other jars or options."""
        java = self.java.resolve()
        parts = [*self.options, str(java)]
        for file in (java, java.parents[1] / "lib" / "modules", *self.jars):
            # Java refuses an archive whose jars were touched since, so one that was fetched again needs a new one.
            stat = file.stat() if file.exists() else None
            parts.append(f"{file}:{stat.st_size}:{stat.st_mtime_ns}" if stat else f"{file}:-")
        return self.folder / f"{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}.jsa"

    def use_options(self) -> list[str]:
        """Java's options that use the archive; none where there is none."""
        file = self.file
        # Without a check, Java crashes on a file that the disk has damaged; with it, it starts without.
        return [f"-XX:SharedArchiveFile={file}", "-XX:+VerifySharedSpaces"] if file.exists() else []

    def start_options(self) -> list[str]:
        """Java's options that use the archive, or note the classes for it into the working folder."""
        return self.use_options() or [f"-XX:DumpLoadedClassList={NOTES_FILE}"]

    def make_from(self, working_folder: Path) -> None:
        """Starts making the archive from what a broker noted in its working folder; returns at once.

        It is a matter of speed alone: whatever goes wrong, the next broker starts without.
        """
        notes = working_folder / NOTES_FILE
        file = self.file
        if not notes.exists() or file.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        own_notes = self.folder / f"{uuid.uuid4().hex}{archive_classes.NOTES_SUFFIX}"
        shutil.move(notes, own_notes)
        class_path = os.pathsep.join(str(jar) for jar in self.jars)
        maker = [sys.executable, "-I", "-S", archive_classes.__file__, str(file), str(own_notes)]
        subprocess.run(
            [*maker, str(self.java), *self.options, "-cp", class_path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
