"""A process that dies at the worst moment of an add; it imports little, for it is started for nothing else."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import fsspec.config

from vss.model_store.manifest import Manifest
from vss.model_store.store import ModelStore


def die_before_the_checksums(address: str, cache: Path, file: Path, endpoint: str) -> None:
    """Adds a model to an S3 server, and is killed once the model file is there."""
    fsspec.config.conf["s3"] = {"endpoint_url": endpoint, "key": "testing", "secret": "testing"}
    store = ModelStore(address, cache=cache)
    place: Any = store.place
    upload = place.upload

    def upload_and_die(*arguments: Any) -> None:
        upload(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    place.upload = upload_and_die
    store.add(file, "gate", Manifest(), check=lambda _: None)
