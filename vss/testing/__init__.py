"""Public fakes and builders for people who test against the fleet."""

from vss.testing.broker import GroupToken, InMemoryBroker
from vss.testing.clock import ManualClock
from vss.testing.executor import DeferredExecutor, InlineExecutor
from vss.testing.frames import make_bad_frames, make_bomb, make_frame, make_image
from vss.testing.ports import InMemoryPublisher, InMemorySink, InMemorySource
from vss.testing.readings import make_bad_readings, make_reading

__all__ = [
    "DeferredExecutor",
    "GroupToken",
    "InMemoryBroker",
    "InMemoryPublisher",
    "InMemorySink",
    "InMemorySource",
    "InlineExecutor",
    "ManualClock",
    "make_bad_frames",
    "make_bad_readings",
    "make_bomb",
    "make_frame",
    "make_image",
    "make_reading",
]
