"""`vss models activate` and `rollback`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.workers.activation.conftest import Operator, Worker
from tests.workers.activation.versions import add_good, add_unloadable
from vss.cli.main import cli
from vss.errors import ConfigError, ModelNotFound, VssError
from vss.model_store.resolve import ModelRef
from vss.streams.activation_log import read_activations
from vss.workers.activation.operator import prepare_activation

Vss = Callable[..., Result]


@pytest.fixture
def vss(operator: Operator, tmp_path: Path) -> Vss:
    """Runs the command line on a store with two versions."""
    for _ in range(2):
        add_good(operator.store, tmp_path)
    environ = {
        "VSS_KAFKA__BOOTSTRAP_SERVERS": operator.kafka.bootstrap_servers,
        "VSS_KAFKA__TOPIC_PREFIX": operator.kafka.topic_prefix,
        "VSS_MODEL__STORE": str(operator.store),
    }
    return lambda *arguments: CliRunner().invoke(cli, ["models", *map(str, arguments)], env=environ)


def test_an_activation_says_what_happens_and_how_to_undo_it(vss: Vss, operator: Operator) -> None:
    assert "gate@1 serves all keys" in vss("activate", "gate", 1).stdout
    said = vss("activate", "gate", "latest", "--max-error-rate", 0.05, "--reason", "sees more").stdout
    assert said.startswith("gate@2 takes over from gate@1\n  back to gate@1 when more than 5.0% of its calls fail")
    assert "vss models rollback gate" in said
    found = read_activations(operator.kafka)["gate"].activation
    assert (found.version, found.stable, found.reason) == ("2", "1", "sees more")
    assert found.limits is not None
    assert (found.limits.max_error_rate, found.limits.max_p95_ms, found.limits.min_requests) == (0.05, None, 100)


def test_a_canary_is_promoted_by_activating_it_for_all(vss: Vss) -> None:
    vss("activate", "gate", 1)
    assert vss("activate", "gate", 2, "--canary", 20).stdout.startswith(
        "gate@2 serves 20 % of the keys, gate@1 the oth"
    )
    assert vss("activate", "gate", 2).stdout.startswith("gate@2 is promoted: it serves all keys")
    assert vss("rollback", "gate").stdout.startswith("gate@1 takes over from gate@2")


def test_a_rollback_to_a_version_that_is_gone_is_refused_and_those_are_named_that_are_there(
    vss: Vss, operator: Operator
) -> None:
    vss("activate", "gate", 1)
    vss("activate", "gate", 2)
    shutil.rmtree(operator.store / "gate" / "1")
    refused = vss("rollback", "gate").exception
    assert isinstance(refused, ConfigError)
    assert "gate@1 served before, and is no longer in the store" in str(refused)
    assert refused.fix.endswith(": 2")
    assert read_activations(operator.kafka)["gate"].activation.version == "2"
    # A store that does not answer is no reason to stay.
    shutil.rmtree(operator.store)
    assert vss("rollback", "gate").stdout.startswith("gate@1 takes over from gate@2")


def test_json_is_for_machines(vss: Vss) -> None:
    vss("activate", "gate", 1)
    found = json.loads(vss("activate", "gate", 2, "--canary", 20, "--json").stdout)
    assert found["before"] == "1"
    assert found["events"] == []
    assert (found["activation"]["version"], found["activation"]["percent"]) == ("2", 20)
    back = json.loads(vss("rollback", "gate", "--json").stdout)
    assert (back["activation"]["version"], back["activation"]["history"]) == ("1", [])


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("activate", "gate", "9"), ModelNotFound, "no version '9'"),
        (("activate", "yard", "1"), ModelNotFound, "no model 'yard'"),
        (("activate", "../gate", "1"), ConfigError, "not the name of a model"),
        (("activate", "gate.onnx", "1"), ConfigError, "not the name of a model"),
        (("activate", "gate", "1", "--canary", "5"), ConfigError, "none would serve the other keys"),
        (("rollback", "gate"), ConfigError, "no version of gate was activated"),
    ],
)
def test_what_cannot_hold_is_refused_before_anything_is_written(
    vss: Vss, operator: Operator, arguments: tuple[str, ...], error: type[Exception], said: str
) -> None:
    result = vss(*arguments)
    assert isinstance(result.exception, error)
    assert said in str(result.exception)
    assert isinstance(result.exception, VssError)
    assert result.exception.fix
    assert read_activations(operator.kafka) == {}


def test_what_was_compared_with_another_version_than_serves_now_is_not_activated(vss: Vss, operator: Operator) -> None:
    operator.activate("1")
    asked: list[str | None] = []

    def slow_gate(ref: ModelRef, serving: str | None) -> None:
        asked.append(serving)
        operator.activate("2")

    with pytest.raises(ConfigError, match="gate@2 was activated while gate@2 was compared with 1"):
        prepare_activation(operator.settings, "gate", "2", gate=slow_gate)
    assert asked == ["1"]
    assert prepare_activation(operator.settings, "gate", "1", gate=lambda *_: None).activation.history == ("2",)


def test_waiting_shows_what_the_workers_say(
    vss: Vss, operator: Operator, start: Callable[..., Worker], tmp_path: Path
) -> None:
    vss("activate", "gate", 1)
    start()
    start()
    swapped = vss("activate", "gate", 2, "--wait", 30)
    assert swapped.exit_code == 0
    assert swapped.stdout.count("swapped") == 2
    broken = add_unloadable(operator.store, tmp_path)
    refused = vss("activate", "gate", broken, "--wait", 30, "--json")
    assert refused.exit_code == 1
    assert "2 of 2 workers did not swap" in str(refused.exception)
    assert [(e["kind"], e["serving"]) for e in json.loads(refused.stdout)["events"]] == [("refused", "2")] * 2


def test_waiting_where_nobody_works_ends(vss: Vss) -> None:
    result = vss("activate", "gate", 1, "--wait", 0.5)
    assert result.exit_code == 1
    assert "no worker said anything" in str(result.exception)
