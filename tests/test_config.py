"""Where a setting comes from, and what is said when it does not fit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vss.cli.options import settings_with
from vss.config import Settings, known_settings, load_settings
from vss.errors import ConfigError
from vss.local.process import ProcessId
from vss.local.state import KAFKA, REDIS, FleetState, ServerState, write_state


@pytest.fixture(autouse=True)
def _empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("VSS_")]:
        monkeypatch.delenv(name)


def servers_of(file: str | None = None, flag: str | None = None, local: str | None = None) -> str:
    if file is not None:
        Path("vss.toml").write_text(f'[kafka]\nbootstrap_servers = "{file}"\n')
    return load_settings(
        overrides={"kafka": {"bootstrap_servers": flag}} if flag else None,
        local={"kafka": {"bootstrap_servers": local}} if local is not None else None,
    ).kafka.bootstrap_servers


def test_a_flag_wins_over_the_environment_the_file_the_local_fleet_and_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert servers_of() == "127.0.0.1:9092"
    assert servers_of(local="local:1") == "local:1"
    assert servers_of(file="file:1", local="local:1") == "file:1"
    monkeypatch.setenv("VSS_KAFKA__BOOTSTRAP_SERVERS", "env:1")
    assert servers_of(file="file:1", local="local:1") == "env:1"
    assert servers_of(file="file:1", local="local:1", flag="flag:1") == "flag:1"


def test_sources_are_merged_setting_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("vss.toml").write_text('[kafka]\ntopic_prefix = "plant."\nbootstrap_servers = "file:1"\n[redis]\nttl_s = 60\n')
    monkeypatch.setenv("VSS_KAFKA__BOOTSTRAP_SERVERS", "env:1")
    monkeypatch.setenv("VSS_REDIS__KEY_PREFIX", "plant:")
    settings = load_settings(overrides={"loop": {"max_batch": 8}})
    assert (settings.kafka.topic_prefix, settings.kafka.bootstrap_servers) == ("plant.", "env:1")
    assert (settings.redis.ttl_s, settings.redis.key_prefix, settings.loop.max_batch) == (60, "plant:", 8)


def test_a_local_fleet_in_the_folder_is_found_by_itself() -> None:
    me = ProcessId.of(os.getpid())
    Path(".vss").mkdir()
    write_state(Path(".vss"), FleetState(ServerState((20001, 20002), me), ServerState((20003,), me)))
    settings = settings_with(None, {})
    assert settings.kafka.bootstrap_servers == "127.0.0.1:20001"
    assert settings.redis.url == "redis://127.0.0.1:20003/0"


@pytest.mark.parametrize("runs", [KAFKA, REDIS])
def test_half_a_local_fleet_leaves_the_other_half_to_the_defaults(runs: str) -> None:
    Path(".vss").mkdir()
    state = FleetState().with_server(runs, ServerState((20001, 20002), ProcessId.of(os.getpid())))
    write_state(Path(".vss"), state)
    settings = settings_with(None, {})
    default = Settings()
    assert (settings.kafka == default.kafka) == (runs == REDIS)
    assert (settings.redis == default.redis) == (runs == KAFKA)


def test_a_dead_local_fleet_counts_for_nothing() -> None:
    Path(".vss").mkdir()
    gone = ProcessId(os.getpid(), "of another boot")
    write_state(Path(".vss"), FleetState(ServerState((20001, 20002), gone), ServerState((20003,), gone)))
    assert settings_with(None, {}).kafka.bootstrap_servers == "127.0.0.1:9092"


@pytest.mark.parametrize(
    ("text", "unknown", "nearest"),
    [
        ('[kafka]\nbootstrap_server = "a:1"', "kafka.bootstrap_server", "kafka.bootstrap_servers"),
        ("[loop]\nmaxbatch = 3", "loop.maxbatch", "loop.max_batch"),
        ("[kafak]\ntopic_prefix = 'x'", "kafak", "kafka"),
    ],
)
def test_an_unknown_setting_names_the_nearest_known_one(text: str, unknown: str, nearest: str) -> None:
    Path("vss.toml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_settings()
    assert str(raised.value) == f"unknown setting {unknown}"
    assert raised.value.fix == f"did you mean {nearest}?"


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("VSS_KAFKA__BOOTSTRAP_SERVER", "kafka.bootstrap_servers"),
        ("VSS_KAFAK__BOOTSTRAP_SERVERS", "VSS_KAFKA__BOOTSTRAP_SERVERS"),
        ("vss_redsi__url", "VSS_REDIS__URL"),
    ],
)
def test_a_mistyped_variable_is_refused_with_the_nearest_known_one(
    variable: str, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "x:1")
    with pytest.raises(ConfigError) as raised:
        load_settings()
    assert nearest in raised.value.fix


def test_variables_that_are_no_settings_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSS_HOME", "elsewhere")
    monkeypatch.setenv("VSS_MAVEN_MIRROR", "file:///mirror")
    assert load_settings().model_dump() == Settings().model_dump()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[loop]\nmax_batch = 0", "loop.max_batch"),
        ('[kafka]\ngroup_protocol = "zookeeper"', "kafka.group_protocol"),
        ("[model]\nconfidence = 1.5", "model.confidence"),
    ],
)
def test_a_value_that_does_not_fit_is_named(text: str, named: str) -> None:
    Path("vss.toml").write_text(text)
    with pytest.raises(ConfigError, match=f"setting {named}: ") as raised:
        load_settings()
    assert named in raised.value.fix


def test_a_file_that_is_no_toml_or_not_there_is_an_error_with_a_fix() -> None:
    Path("vss.toml").write_text("[kafka\n")
    with pytest.raises(ConfigError, match="cannot be read") as raised:
        load_settings()
    assert "vss.toml" in raised.value.fix
    with pytest.raises(ConfigError, match=r"no such settings file: other\.toml"):
        load_settings(Path("other.toml"))


def test_any_librdkafka_property_reaches_every_client(tmp_path: Path) -> None:
    from vss.streams.kafka_config import consumer_config, producer_config, publisher_config, transactional_config

    Path("vss.toml").write_text(
        "[kafka.properties]\n"
        '"security.protocol" = "SASL_SSL"\n'
        'sasl.mechanism = "SCRAM-SHA-512"\n'
        'ssl.ca.location = "/etc/ssl/our-ca.pem"\n'
        "linger.ms = 20\n"
        "socket.keepalive.enable = true\n"
    )
    kafka = load_settings().kafka
    given = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "ssl.ca.location": "/etc/ssl/our-ca.pem",
        "linger.ms": 20,
        "socket.keepalive.enable": True,
    }
    assert kafka.properties == given
    for config in (
        consumer_config(kafka, group="g"),
        producer_config(kafka),
        publisher_config(kafka),
        transactional_config(kafka, transactional_id="t"),
    ):
        assert config.items() >= given.items()


def test_a_property_from_the_environment_wins_over_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("vss.toml").write_text('[kafka.properties]\nsasl.password = "old"\nsasl.username = "fleet"\n')
    monkeypatch.setenv("VSS_KAFKA__PROPERTIES", '{"sasl.password": "new"}')
    assert load_settings().kafka.properties == {"sasl.password": "new", "sasl.username": "fleet"}


def test_settings_cannot_be_changed_under_a_running_worker() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().loop.max_batch = 3  # type: ignore[misc] # the very thing that must fail


def test_every_setting_says_what_it_is() -> None:
    for name in known_settings():
        table, _, key = name.partition(".")
        section = Settings.model_fields[table].annotation
        assert section is not None
        description = section.model_fields[key].description
        assert description, name
        assert description.endswith("."), name
