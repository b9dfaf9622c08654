"""A worker process for tests of failure: the real loop, adapters and signals, with a step that costs nothing.

    python echo_worker.py '{"kafka": {…}, "loop": {…}}' WORK_MS

Each record becomes an event that holds what the record held, and the process's id. A record that starts with `bad` is a
dead letter. Each batch takes WORK_MS milliseconds, so that a kill finds work under way.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from vss.config import Settings
from vss.errors import UndecodableImage
from vss.logs import configure, get_logger
from vss.metrics import Metrics
from vss.schemas import topics
from vss.schemas.envelope import Message, Outcome, OutcomeKind, Record
from vss.workers.loop.step import Result, Unfinished
from vss.workers.service import serve


@dataclass
class _Work:
    step: EchoStep
    batch: Sequence[Record]
    values: list[Result]
    done: threading.Event

    def results(self, timeout_s: float | None = None) -> list[Result]:
        if not self.done.wait(timeout_s):
            raise Unfinished("still at work")
        return self.values

    def again(self, indices: Sequence[int]) -> _Work:
        return self.step.begin([self.batch[i] for i in indices])

    def cancel(self) -> None:
        pass


class EchoStep:
    name = "echo"

    def __init__(self, topic: str, work_s: float) -> None:
        self._topic = topic
        self._work_s = work_s

    def begin(self, batch: Sequence[Record]) -> _Work:
        work = _Work(self, batch, [self._result(record) for record in batch], threading.Event())
        timer = threading.Timer(self._work_s, work.done.set)
        timer.daemon = True
        timer.start()
        return work

    def close(self) -> None:
        pass

    def _result(self, record: Record) -> Result:
        value = record.value or b""
        if value.startswith(b"bad"):
            return UndecodableImage("bad")
        event = {
            "source": {"topic": record.topic, "partition": record.partition, "offset": record.offset},
            "echo": value.decode(),
            "pid": os.getpid(),
        }
        message = Message(self._topic, record.key, orjson.dumps(event), (("ce_id", b"x"),))
        return Outcome(OutcomeKind.EVENT, (message,))


def main() -> None:
    settings = Settings.model_validate(orjson.loads(sys.argv[1]))
    configure(level="INFO", json=True)
    prefix = settings.kafka.topic_prefix
    serve(
        EchoStep(topics.DETECTIONS.name(prefix), float(sys.argv[2]) / 1000),
        settings=settings,
        topics=[topics.FRAMES.name(prefix)],
        metrics=Metrics(),
        logger=get_logger("echo"),
        metrics_port=None,
    )


if __name__ == "__main__":
    main()
