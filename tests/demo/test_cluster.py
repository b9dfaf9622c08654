from __future__ import annotations

from pathlib import Path

import pytest

from vss.config import load_settings
from vss.demo.cluster import child_environment, demo_settings, model_settings, sensor_environment
from vss.local.state import Addresses

ADDRESSES = Addresses("127.0.0.1:4711", "redis://127.0.0.1:4712/0")


def test_the_demo_has_its_own_cluster_and_the_users_own_model_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vss.toml").write_text(
        '[kafka]\ntopic_prefix = "mine."\n[kafka.properties]\n"security.protocol" = "ssl"\n'
        '[loop]\ngroup = "night"\n[model]\nconfidence = 0.3\nclasses = ["gear", "nut"]\n'
    )
    settings = demo_settings(ADDRESSES, model_settings(threads=2))
    assert settings.kafka.bootstrap_servers == ADDRESSES.bootstrap_servers
    assert settings.kafka.topic_prefix == "vss."
    assert settings.kafka.properties == {}
    assert settings.loop.group is None
    assert settings.model.confidence == 0.3
    assert settings.model.threads == 2


def test_its_processes_see_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vss.toml").write_text('[model]\nconfidence = 0.3\nclasses = ["gear", "nut"]\nthreads = 3\n')
    settings = demo_settings(ADDRESSES, model_settings(threads=1))
    mine = {"PATH": "/bin", "VSS_KAFKA__TOPIC_PREFIX": "mine.", "VSS_CONFIG": "/mine.toml", "vss_loop__group": "night"}
    environ = child_environment(mine, settings)
    assert environ["PATH"] == "/bin"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    theirs = load_settings()
    assert theirs.kafka == settings.kafka
    assert theirs.redis == settings.redis
    assert theirs.loop == settings.loop
    assert theirs.model == settings.model


def test_what_is_set_for_models_of_pictures_does_not_reach_those_that_look_at_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vss.toml").write_text('[model]\nfeatures = "pooled"\nthreshold = 9.0\nthreads = 3\n')
    settings = demo_settings(ADDRESSES, model_settings(threads=1))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name, value in sensor_environment({"VSS_WINDOWS__STRIDE": "40"}, settings).items():
        monkeypatch.setenv(name, value)
    theirs = load_settings()
    assert theirs.kafka == settings.kafka
    assert (theirs.model.features, theirs.model.threshold) == (None, None)
    assert theirs.windows.stride == 1
    assert theirs.loop.max_wait_ms > 0
