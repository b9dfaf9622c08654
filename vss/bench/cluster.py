"""The cluster a bench runs on: one of its own, or the one it is given, with topics that nobody else reads."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vss.config import Settings
from vss.local.fleet import LocalFleet


@contextmanager
def bench_settings(settings: Settings, *, own_cluster: bool) -> Iterator[Settings]:
    """Settings for a bench.

    Args:
        settings: What the user wants.
        own_cluster: Starts a Kafka in a temporary folder, which ends with the block.

    Yields:
        The settings with the cluster's address and a topic prefix of its own.

    Raises:
        LocalError: Kafka could not be started.
    """
    kafka = settings.kafka.model_copy(update={"topic_prefix": f"vss-bench-{uuid.uuid4().hex[:8]}."})
    if not own_cluster:
        yield settings.model_copy(update={"kafka": kafka})
        return
    with tempfile.TemporaryDirectory(prefix="vss-bench-") as folder:
        fleet = LocalFleet(Path(folder))
        addresses = fleet.up(redis=False)
        try:
            kafka = kafka.model_copy(update={"bootstrap_servers": addresses.bootstrap_servers})
            yield settings.model_copy(update={"kafka": kafka})
        finally:
            fleet.down()
