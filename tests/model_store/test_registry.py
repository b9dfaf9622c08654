"""The tasks that a manifest may name, and what becomes of packages that bring their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.model_store.plugin_package import install
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelUnsupported
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.registry import known_tasks, task_kind

Install = Callable[..., None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs packages for this test alone; each test needs another name, for Python keeps what it has imported."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "site").mkdir()

    def run(package: str, task: str, points_to: str, code: str) -> None:
        install(tmp_path / "site", package=package, task=task, points_to=points_to, code=code)

    return run


@pytest.mark.parametrize("name", ["detection", "classification"])
def test_ours_are_there(name: str) -> None:
    assert task_kind(name).name == name


@pytest.mark.parametrize(("name", "near"), [("clasification", "classification"), ("detect", "detection")])
def test_an_unknown_task_is_refused_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown task '{name}'") as raised:
        task_kind(name)
    assert f"did you mean {near}?" in raised.value.fix


@pytest.mark.parametrize("points_to", ["load", "KIND"])
def test_a_package_offers_a_function_or_a_kind(installed: Install, points_to: str) -> None:
    name = f"counting-{points_to.lower()}"
    code = (
        "from vss.model_store.tasks.task import TaskKind\n"
        "class Task:\n"
        "    labels, input_wh, facts, result_type = (), (8, 8), {}, dict\n"
        "    decode_wh = inputs = result = lambda *_: {}\n"
        "    def classes_in(self, result): return ['counted']\n"
        "def load(ref, model, settings): return Task()\n"
        "KIND = TaskKind('whatever', load)\n"
    )
    installed(name, name, points_to, code)
    kind = task_kind(name)
    assert kind.name == name
    assert kind.load(_ref(), None, ModelSettings()).classes_in({}) == ["counted"]  # type: ignore[arg-type, union-attr]
    assert name in known_tasks()


def test_a_package_is_named_in_the_nearest(installed: Install) -> None:
    installed("near-package", "counting-people", "load", "def load(*_): ...")
    with pytest.raises(ConfigError) as raised:
        task_kind("counting-peple")
    assert "did you mean counting-people?" in raised.value.fix


def test_a_package_cannot_take_the_place_of_ours(installed: Install) -> None:
    installed("impostor", "detection", "load", "raise RuntimeError('imported')")
    assert task_kind("detection").load.__module__.startswith("vss.")
    assert known_tasks().count("detection") == 1


@pytest.mark.parametrize(
    ("package", "points_to", "code", "says"),
    [
        ("broken-import", "load", "import no_such_module_anywhere", "ModuleNotFoundError"),
        ("broken-code", "load", "1 / 0", "ZeroDivisionError"),
        ("broken-name", "lode", "def load(*_): ...", "AttributeError"),
        ("broken-kind", "load", "load = 7", "is no function"),
    ],
)
def test_a_broken_package_is_named(installed: Install, package: str, points_to: str, code: str, says: str) -> None:
    installed(package, package, points_to, code)
    with pytest.raises(ConfigError, match=f"package {package}") as raised:
        task_kind(package)
    assert says in str(raised.value)


def test_a_package_that_fails_on_a_model_is_named(installed: Install) -> None:
    installed("failing", "failing", "load", "def load(*_): raise KeyError('what')")
    with pytest.raises(ModelUnsupported, match=r"package failing failed on m\.onnx: KeyError"):
        task_kind("failing").load(_ref(), None, ModelSettings())  # type: ignore[arg-type]


def test_two_packages_with_one_task_are_refused(installed: Install) -> None:
    installed("one-counter", "counter", "load", "def load(*_): ...")
    installed("two-counter", "counter", "load", "def load(*_): ...")
    with pytest.raises(ConfigError, match="offered by one-counter and two-counter"):
        task_kind("counter")


def _ref() -> ModelRef:
    return ModelRef("gate", "1", Path("m.onnx"), Manifest())
