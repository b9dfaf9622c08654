"""The identity of an outcome."""

from __future__ import annotations

import hashlib

from vss.schemas.envelope import Record


def event_id(record: Record, model_name: str, model_version: str) -> str:
    """Names the outcome that one model version made of one record: the same three give the same id.

    Returns:
        32 hexadecimal digits, BLAKE2b of the record's coordinates and `ce_id` and the model's name and version.
    """
    ce_id = dict(record.headers).get("ce_id") or b""
    # A topic that was deleted and made anew counts its offsets from 0 again; the producer's id tells them apart.
    parts = (record.topic, str(record.partition), str(record.offset), model_name, model_version)
    text = b"\x1f".join([part.encode() for part in parts] + [ce_id])
    return hashlib.blake2b(text, digest_size=16).hexdigest()
