"""Runs a faust app until SIGTERM or Ctrl-C, with its words in our log."""

from __future__ import annotations

import logging
from typing import Any, Final

import faust

from vss.logs import Logger

_SPEAKERS: Final = ("faust", "mode", "aiokafka")


def run_app(app: Any, logger: Logger) -> None:
    """Blocks until the app is told to stop.

    Args:
        app: What `make_app` made.
        logger: For what faust and its client say.

    Raises:
        Exception: What ended the app.
    """
    for name in _SPEAKERS:
        speaker = logging.getLogger(name)
        speaker.handlers, speaker.propagate = [_Handler(logger)], False
    worker = faust.Worker(app, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.spinner = None  # it would draw on the terminal, and into our log
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        if end.code:
            raise


class _Handler(logging.Handler):
    """Hands the lines of a library to our log; what it says in passing only where it is asked for."""

    def __init__(self, logger: Logger) -> None:
        super().__init__(logging.INFO)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        say = self._logger.warning if record.levelno >= logging.WARNING else self._logger.debug
        say("faust", said=record.getMessage().strip(), by=record.name)
