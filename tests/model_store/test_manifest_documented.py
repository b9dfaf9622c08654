from __future__ import annotations

import re
from pathlib import Path

from vss.model_store.manifest import Manifest, known_keys, read_manifest

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_table_of_keys_is_complete_and_true() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## The manifest")[2].partition("\n## ")[0]

    assert re.findall(r"^\| `([a-z._]+)` \|", section, re.MULTILINE) == known_keys()


def test_the_manifests_shown_can_be_read(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "model.yaml").write_text(block)
        assert read_manifest(tmp_path / "model.yaml") != Manifest()
