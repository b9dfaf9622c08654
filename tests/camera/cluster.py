"""`vss camera` as a process."""

from __future__ import annotations

from tests.ingest.cluster import Cluster
from vss.schemas.topics import FRAMES


class CameraCluster(Cluster):
    """A Kafka, and a prefix that nobody else uses."""

    def __init__(self, bootstrap_servers: str) -> None:
        super().__init__(bootstrap_servers, command="camera", topic=FRAMES)
