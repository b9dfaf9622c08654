"""The house's rules, held against the code itself: who imports whom, how files are named, how long they are."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vss"
FILES = sorted(PACKAGE.rglob("*.py"))
EVERY_FILE = sorted([*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])

SINGLE_FILES = {"errors", "config", "clock", "metrics", "logs", "masking"}
ROOMS = {
    "schemas": set[str](),
    "codecs": {"schemas"},
    "streams": {"codecs", "schemas"},
    "model_store": {"codecs", "schemas"},
    "workers": {"streams", "model_store", "codecs", "schemas"},
    "training": {"streams", "model_store", "codecs", "schemas"},
    "local": set[str](),
    "testing": {"streams", "codecs", "schemas"},
    "bench": {"workers", "streams", "model_store", "codecs", "schemas", "local", "testing", "demo", "training"},
    "demo": {"workers", "streams", "model_store", "codecs", "schemas", "local"},
}
"""Each room and what it may import beside itself and the single files. `cli` may import everything."""

KAFKA = {"confluent_kafka", "aiokafka", "kafka", "faust"}
MODELS = {"onnxruntime", "torch", "onnx"}
IMAGES = {"cv2", "simplejpeg", "av", "PIL"}
NEVER = {
    "schemas": KAFKA | MODELS | IMAGES | {"numpy", "redis"},
    "codecs": KAFKA | MODELS | {"redis"},
    "streams": MODELS | IMAGES | {"redis"},
    "model_store": KAFKA | {"redis"},
    "workers": KAFKA | MODELS,
}
PICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "joblib", "marshal"}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
LINES = 400


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, inside functions too; relative ones are not used here."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            yield module
            # `from vss import streams` names a room in what is imported.
            yield from (f"{module}.{alias.name}" for alias in node.names if module == "vss")
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            yield from (str(a.value) for a in node.args[:1] if isinstance(a, ast.Constant))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def test_the_walk_sees_the_package() -> None:
    assert len(FILES) > 50
    assert {room_of(path) for path in FILES} >= {*ROOMS, *SINGLE_FILES, "cli"} - {"bench", "demo", "training"}
    assert "confluent_kafka" in set(imports_of(PACKAGE / "streams" / "kafka_source.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    allowed = ROOMS.get(room)
    for module in imports_of(path):
        parts = module.split(".")
        if room in NEVER:
            assert parts[0] not in NEVER[room], f"{room} must not import {module}"
        if parts[0] != "vss" or len(parts) == 1:
            continue
        target = parts[1]
        if target in SINGLE_FILES or target in ("__version__", room) or room == "cli":
            continue
        assert room not in SINGLE_FILES, f"{room}.py must not import {module}"
        assert allowed is None or target in allowed, f"{room} must not import {module}"


@pytest.mark.parametrize("path", EVERY_FILE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_what_it_does_and_is_short(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES
    assert not FORBIDDEN_NAMES & set(path.parent.relative_to(ROOT).parts)
    text = path.read_text()
    assert len(text.splitlines()) <= LINES
    if path.is_relative_to(PACKAGE):
        assert ast.get_docstring(ast.parse(text)), "a file opens with what it is"


@pytest.mark.parametrize("path", EVERY_FILE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_pickled(path: Path) -> None:
    for module in imports_of(path):
        assert module.split(".")[0] not in PICKLERS, f"{path} imports {module}"


def test_the_median_file_is_short() -> None:
    lengths = sorted(len(path.read_text().splitlines()) for path in FILES)
    assert lengths[len(lengths) // 2] < 120


HEAVY = ["confluent_kafka", "cv2", "numpy", "onnxruntime", "av", "redis", "pydantic", "torch", "simplejpeg"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=["help", "version"])
def test_the_first_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from vss.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "HEAVY []" in done.stdout, done.stdout


@pytest.mark.parametrize(
    "command", ["up", "topics", "camera", "sensor", "worker", "infer", "tail", "latest", "audit", "models"]
)
def test_the_help_of_a_command_imports_no_model_and_no_client(command: str) -> None:
    program = (
        "import sys\n"
        "from vss.cli.main import main\n"
        f"try:\n    main([{command!r}, '--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('HEAVY', [name for name in ('confluent_kafka', 'cv2', 'onnxruntime', 'av') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "HEAVY []" in done.stdout, done.stdout[-300:]
