"""The archive that makes Kafka start quicker, and never keeps it from starting."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vss.local.archive_classes import KEPT, make, tidy
from vss.local.class_archive import NOTES_FILE, ClassArchive
from vss.local.fleet import LocalFleet
from vss.local.jars import cache_folder
from vss.local.state import KAFKA, read_state


def eventually(condition: Callable[[], bool], within_s: float) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


@pytest.fixture
def environ(tmp_path: Path, local_fleet: LocalFleet) -> dict[str, str]:
    """A cache that has Kafka's jars and no archive."""
    assert local_fleet  # so that the jars are there
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "jars").symlink_to(cache_folder(os.environ) / "jars")
    return {**os.environ, "VSS_CACHE": str(tmp_path / "cache")}


def mapped(folder: Path) -> bool:
    """Whether the folder's broker runs from an archive."""
    process = read_state(folder).kafka.process
    assert process is not None
    return ".jsa" in Path(f"/proc/{process.pid}/maps").read_text().replace("classes.jsa", "")


@pytest.mark.slow  # it waits for what runs with low priority
@pytest.mark.timeout(400)
def test_the_second_start_uses_the_archive_that_the_first_one_led_to(tmp_path: Path, environ: dict[str, str]) -> None:
    classes = tmp_path / "cache" / "classes"
    fleet = LocalFleet(tmp_path / "fleet", environ=environ)
    try:
        fleet.up(redis=False)
        assert not mapped(tmp_path / "fleet")
        fleet.down()
        eventually(lambda: bool(list(classes.glob("*.jsa"))) and len(list(classes.iterdir())) == 1, within_s=300)
        assert not (tmp_path / "fleet" / KAFKA / NOTES_FILE).exists()

        fleet.up(redis=False)
        assert mapped(tmp_path / "fleet")
        fleet.down()

        # A disk that damages it costs speed, not the start.
        (archive,) = classes.glob("*.jsa")
        archive.chmod(0o600)
        content = bytearray(archive.read_bytes())
        for place in range(len(content) // 4, len(content), len(content) // 50):
            content[place] ^= 0xFF
        archive.write_bytes(content)
        fleet.up(redis=False)
        assert fleet.status()[0].answering
    finally:
        fleet.down()


def fake_java(folder: Path, script: str) -> Path:
    """A Java that does what the script says with the archive's name in `$archive`."""
    java = folder / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True, exist_ok=True)
    java.write_text(
        "#!/bin/sh\n"
        'for option in "$@"; do case $option in -XX:SharedArchiveFile=*) archive=${option#*=};; esac; done\n'
        f"echo run >> {folder}/runs\n{script}\n"
    )
    java.chmod(0o755)
    return java


def archive_for(tmp_path: Path, java: Path) -> ClassArchive:
    jar = tmp_path / "a.jar"
    if not jar.exists():
        jar.write_bytes(b"jar")
    return ClassArchive(tmp_path / "classes", java, ("-Xmx1m",), [jar])


def test_another_java_other_jars_and_other_options_have_another_archive(tmp_path: Path) -> None:
    java = fake_java(tmp_path, "exit 0")
    archive = archive_for(tmp_path, java)
    first = archive.file
    assert archive.file == first
    os.utime(tmp_path / "a.jar", (1, 1))
    second = archive.file
    os.utime(java, (2, 2))
    third = archive.file
    other_options = ClassArchive(archive.folder, java, ("-Xmx2m",), archive.jars).file
    assert len({first, second, third, other_options}) == 4


def test_classes_are_noted_only_until_there_is_an_archive(tmp_path: Path) -> None:
    archive = archive_for(tmp_path, fake_java(tmp_path, "exit 0"))
    assert archive.use_options() == []
    assert archive.start_options() == [f"-XX:DumpLoadedClassList={NOTES_FILE}"]
    archive.folder.mkdir()
    archive.file.touch()
    assert archive.start_options() == archive.use_options()
    assert f"-XX:SharedArchiveFile={archive.file}" in archive.start_options()


def test_several_that_stop_at_once_make_it_once_and_nobody_waits(tmp_path: Path) -> None:
    wait = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    archive = archive_for(tmp_path, fake_java(tmp_path, f'{wait}; echo archive > "$archive"'))
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / NOTES_FILE).write_text("java/lang/Object\n")
        archive.make_from(tmp_path / str(number))
    (tmp_path / "go").touch()
    eventually(archive.file.exists, within_s=60)
    eventually(lambda: list(archive.folder.iterdir()) == [archive.file], within_s=60)
    assert (tmp_path / "runs").read_text() == "run\nrun\n"  # made and tried


def test_a_java_that_cannot_make_it_leaves_nothing(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.write_text("java/lang/Object\n")
    for script in ("exit 1", 'case "$*" in *-version*) exit 1;; esac; echo archive > "$archive"'):
        java = fake_java(tmp_path, script)
        assert not make(tmp_path / "a.jsa", notes, [str(java)])
        assert list(tmp_path.glob("*.jsa")) == []
        assert list(tmp_path.glob("*.half")) == []


def test_old_archives_and_what_killed_makers_left_are_removed(tmp_path: Path) -> None:
    for number in range(KEPT + 2):
        (tmp_path / f"{number}.jsa").touch()
        os.utime(tmp_path / f"{number}.jsa", (number, number))
    for name in ("x.making", "y.classes", "z.half"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
        (tmp_path / f"new-{name}").touch()
    tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.jsa")) == [f"{number}.jsa" for number in range(2, KEPT + 2)]
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".jsa") == [
        "new-x.making",
        "new-y.classes",
        "new-z.half",
    ]


def test_the_maker_needs_nothing_but_the_standard_library() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import archive_classes, leash"
    folder = str(Path(make.__code__.co_filename).parent)
    subprocess.run([sys.executable, "-I", "-S", "-c", program, folder], check=True)
