"""Workers as processes swap versions under load: no frame lost, none doubled, each event names the version it is by."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from tests.faults.rig import VSS, Rig
from tests.workers.activation.conftest import Operator
from tests.workers.activation.versions import add_good, add_unloadable
from vss.schemas.envelope import Record
from vss.streams.activation_writer import ActivationWriter
from vss.workers.checks.audit import audit


@dataclass
class SwapRig(Rig):
    """Workers that serve the model `gate` of a store."""

    store: Path = field(default_factory=Path)

    def _command(self) -> list[str]:
        where = ["--bootstrap-servers", self.bootstrap_servers, "--group", self.group, "--store", str(self.store)]
        return [VSS, "worker", "detect", *where, "--model", "gate", "--threads", "1", "--no-result-cache"]


@pytest.fixture
def rig(bootstrap_servers: str, tmp_path: Path) -> Iterator[SwapRig]:
    store = tmp_path / "models"
    for _ in range(3):
        add_good(store, tmp_path)
    # Any file makes the rig's frames pictures.
    made = SwapRig(bootstrap_servers, tmp_path, model=store, store=store)
    yield made
    made.close()


@pytest.fixture
def operator(rig: SwapRig) -> Iterator[Operator]:
    with ActivationWriter(rig.kafka) as writer:
        yield Operator(rig.kafka, rig.store, writer)


def versions(events: list[Record]) -> dict[int, list[str]]:
    """The version of each event by partition, in the order of its frames."""
    found: dict[int, list[tuple[int, str]]] = {}
    for record in events:
        event = orjson.loads(record.value or b"null")
        source = event["source"]
        found.setdefault(source["partition"], []).append((source["offset"], event["model_version"]))
    return {partition: [version for _, version in sorted(pairs)] for partition, pairs in found.items()}


def test_two_workers_swap_under_load_and_lose_nothing(rig: SwapRig, operator: Operator) -> None:
    operator.activate("1")
    for _ in range(2):
        rig.start_worker()
    rig.wait_joined()
    with rig.camera(fps=200) as sent:
        rig.wait_served_again()
        operator.wait_for(operator.activate("2"), "swapped", 2)
        rig.wait_served_again()
        # One that cannot be loaded leaves no trace in the events.
        operator.wait_for(operator.activate(add_unloadable(rig.store, rig.folder)), "refused", 2)
        operator.wait_for(operator.roll_back(), "swapped", 2)
        operator.wait_for(operator.activate("3"), "swapped", 2)
        rig.wait_served_again()
    rig.wait_served(rig.ends(), patience_s=60)
    events = rig.exactly_once(len(sent))
    for partition, served in versions(events).items():
        assert served == sorted(served), f"partition {partition} went back to an older version"
        assert set(served) == {"1", "2", "3"}, "every version has stamped its events"
    report = audit(rig.kafka, group=rig.group)
    assert report.holds
    assert (report.events, report.dead_letters) == (len(sent), 0)


@pytest.mark.slow
def test_workers_that_are_killed_in_the_middle_of_swaps_lose_nothing(rig: SwapRig, operator: Operator) -> None:
    rng = random.Random(4)
    operator.activate("1")
    for _ in range(2):
        rig.start_worker()
    rig.wait_joined()
    with rig.camera(fps=100) as sent:
        rig.wait_working()
        for version in ("2", "3", "1"):
            activation = operator.activate(version)
            # Somewhere between reading the activation and having swapped.
            time.sleep(rng.uniform(0.0, 0.3))
            rig.kill(rng.choice(rig.workers))
            rig.start_worker()
            operator.wait_for(activation, "swapped")
            rig.wait_joined()
            rig.wait_working()
        rig.wait_served_again()
    rig.wait_served(rig.ends(), patience_s=60)
    events = rig.exactly_once(len(sent))
    assert {served[-1] for served in versions(events).values()} == {"1"}
