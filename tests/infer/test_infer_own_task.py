"""`vss infer` with a task of one's own whose results no event could hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.infer.media import write_image
from tests.model_store.own_task import install_own_task


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ("return {'level': object()}", "the result of task 'own' cannot be written as JSON: Unable to serialize"),
        ("return [1]", "task 'own' of package own-package gave a result that is no dict: list"),
        ("raise SystemExit(3)", "task 'own' of package own-package raised SystemExit: 3"),
    ],
)
def test_a_result_that_cannot_be_written_is_one_clear_line(
    vss: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: str, says: str
) -> None:
    model = install_own_task(tmp_path / "site", monkeypatch, result=result)
    write_image(tmp_path / "a.png", 9)
    ran = vss("infer", model, "a.png", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"error: a.png: {says}")
    assert "bug" not in ran.err


def test_the_other_pictures_go_on(vss: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = "return {'level': object() if width == 64 else width}"
    model = install_own_task(tmp_path / "site", monkeypatch, result=odd)
    write_image(tmp_path / "a.png", 9, 64, 48)
    write_image(tmp_path / "b.png", 9, 32, 48)
    ran = vss("infer", model, "a.png", "b.png", "--json")
    assert ran.code == 1
    assert [line["result"] for line in ran.lines] == [{"level": 32}]
