"""The catalogue as a table for `docs/topics.md`."""

from __future__ import annotations

from vss.schemas.topics import CATALOGUE

_HOUR_MS = 3_600_000


def topic_table(prefix: str = "vss.") -> str:
    """A Markdown table of the catalogue, a line a topic.

    Args:
        prefix: What every topic's name starts with.
    """
    lines = [
        "| topic | records | key | value | partitions | kept for | largest batch |",
        "|---|---|---|---|---:|---:|---:|",
    ]
    for topic in CATALOGUE:
        value = f"`{topic.payload.__name__}`, " if topic.payload is not None else ""
        value += ", ".join(f"`{content_type}`" for content_type in topic.content_types)
        lines.append(
            f"| `{topic.name(prefix)}` | {topic.summary} | {topic.key} | {value} | {topic.partitions} "
            f"| {_duration(topic.retention_ms)} | {topic.max_message_bytes >> 20} MiB |"
        )
    return "\n".join(lines) + "\n"


def _duration(milliseconds: int) -> str:
    hours = milliseconds // _HOUR_MS
    return f"{hours // 24} d" if hours >= 24 and hours % 24 == 0 else f"{hours} h"
