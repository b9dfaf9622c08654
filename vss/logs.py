"""Structured logs: JSON lines for machines, colours on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

from vss.masking import mask_value

Logger = structlog.stdlib.BoundLogger


def _mask_secrets(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {name: mask_value(name, value) for name, value in event.items()}


def configure(*, level: str = "INFO", json: bool | None = None, stream: TextIO | None = None) -> None:
    """Sets up logging for a program; libraries never call this.

    Args:
        level: The lowest level that is printed.
        json: JSON lines when true, human lines when false; by default JSON unless the stream is a terminal.
        stream: Where to, stderr by default.
    """
    out = stream if stream is not None else sys.stderr
    as_json = not out.isatty() if json is None else json
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            # Machines get an instant; a person at a terminal the time on the wall.
            structlog.processors.TimeStamper(fmt="iso", utc=True)
            if as_json
            else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            _mask_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> Logger:
    """A logger whose lines carry the name of the part that speaks."""
    logger: Logger = structlog.get_logger().bind(part=name)
    return logger
