"""Answers that are kept, so that a picture that was seen before costs no inference.

A key is a hash of the picture and of everything that changes what is said about it: the model's file and version, its
manifest, the settings that reach its results, and of a task of the user's own the package and its version. So a changed
threshold or version never hits, and nothing has to be deleted when one changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from vss.config import ModelSettings
from vss.model_store.checksums import sha256_of
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.answer import Answer
from vss.model_store.runner.picture import Picture
from vss.model_store.tasks.registry import package_of

SETTINGS_THAT_CHANGE_ANSWERS: Final = (
    "classes",
    "compile",
    "confidence",
    "cuda_graphs",
    "device",
    "features",
    "iou",
    "max_detections",
    "precision",
    "top_k",
)
# Counts up when what is kept, or how a task reads a model, changes.
_FORMAT: Final = 1
_DIGEST_BYTES: Final = 20


class ResultCache(Protocol):
    """The port to where answers are kept. Raises nothing: what it does not have, or cannot reach, is a miss."""

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What is kept, one for each key. Called on the loop's thread: waits for milliseconds at most."""

    def put(self, entries: Mapping[str, bytes]) -> None:
        """Keeps them for a while. Called from any thread; returns at once."""


def identity_of(ref: ModelRef, settings: ModelSettings) -> bytes:
    """What an answer depends on beside the picture; 32 bytes.

    Args:
        ref: The model. Its file is read: a store that was made anew numbers its versions anew.
        settings: How it runs.
    """
    document = {
        "format": _FORMAT,
        "name": ref.name,
        "version": ref.version,
        "sha256": sha256_of(ref.file),
        "suffix": ref.file.suffix,
        "task": package_of(ref.manifest.task),
        "manifest": ref.manifest.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json", include=set(SETTINGS_THAT_CHANGE_ANSWERS)),
    }
    return hashlib.blake2b(
        orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS), digest_size=32
    ).digest()


def cache_key(identity: bytes, content: bytes, picture: Picture) -> str:
    """The key of a picture's answer.

    Args:
        identity: Of the model (see `identity_of`).
        content: The picture's bytes.
        picture: Its size, which the bytes of a raw picture do not say.
    """
    size = b"%d,%d,%d;" % (picture.width, picture.height, len(content))
    digest = hashlib.blake2b(size, digest_size=_DIGEST_BYTES, key=identity)
    digest.update(content)
    return digest.hexdigest()


class AnswerCodec:
    """Answers of one task as bytes and back.

    Args:
        result_type: Of the task (see `PictureTask`).
    """

    def __init__(self, result_type: Any) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(tuple[result_type, list[float] | None])

    def encode(self, answer: Answer[Any]) -> bytes | None:
        """What is kept of an answer: its value and its embedding; None where JSON cannot hold them."""
        embedding = answer.embedding.tolist() if answer.embedding is not None else None
        try:
            return self._adapter.dump_json((answer.value, embedding), by_alias=True)
        except (PydanticSerializationError, ValueError, TypeError):
            return None

    def decode(self, kept: bytes, picture: Picture) -> Answer[Any] | None:
        """An answer that cost nothing; None where the bytes are none."""
        try:
            value, embedding = self._adapter.validate_json(kept)
        except ValidationError:
            return None
        vector = np.array(embedding, np.float32) if embedding is not None else None
        return Answer(value, 0.0, 0.0, picture.width, picture.height, vector)
