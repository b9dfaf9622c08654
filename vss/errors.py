"""Every error of the project, and what the loop does with each."""

# VssError
# ├── UsageError                 what the user gave cannot work: one line with the fix, exit code 2
# │   ├── ConfigError            a setting, flag or file
# │   ├── ModelError             a model that cannot be served
# │   │   ├── ModelNotFound
# │   │   ├── ModelCorrupt
# │   │   ├── ModelUnsafe        would run code or leave the store
# │   │   ├── ModelUnsupported   loads, but its inputs or outputs are none we know
# │   │   ├── ModelTooLarge      its file is above the limit, or does not fit the memory it may use
# │   │   └── SmokeFailed        loads, but does not find in its smoke input what its manifest says
# │   └── LocalError             the Kafka or Redis that `vss up` runs on this machine
# ├── BadRecord                  this one record can never be processed
# │   ├── MissingKey
# │   ├── EmptyValue
# │   ├── BadHeader
# │   ├── UnsupportedContentType
# │   ├── UndecodableImage
# │   ├── ImageTooLarge
# │   ├── RecordTooLarge
# │   ├── MalformedEvent
# │   ├── BadReading             a reading whose time, values or size cannot be
# │   ├── TooManySensors         more keys than windows may hold
# │   ├── UnknownSensor          a key that the settings do not name
# │   └── UnknownModel           the record asks for a model that cannot be served
# ├── InferenceFailed            the model raised on this record
# │   └── InferenceTimedOut      the model did not answer in time
# ├── StoreUnavailable           the model store is away; it may come back
# ├── GateFailed                 a version agrees less with another than was asked for
# ├── StreamError                between us and Kafka
# │   ├── BrokerUnavailable      it may come back
# │   ├── TransactionAborted     nothing of the batch became visible
# │   └── Fenced                 another instance took over, or the broker forgot us
# ├── CacheUnavailable           Redis is away; it may come back
# ├── SourceError                a camera's or sensor's input
# │   ├── SourceUnavailable      cannot be opened or has dropped; it may come back
# │   └── SourceUnreadable       will never open (no such file, no video or reading in it)
# └── BrokenPromise              a bug of ours: a step gave not exactly one outcome a record

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class VssError(Exception):
    """The root of the tree.

    Attributes:
        fix: What the user can do about it, in one imperative sentence; empty when nothing is known.
    """

    exit_code = 1

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class UsageError(VssError):
    """What the user gave cannot work."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting, flag or file is wrong."""


class ModelError(UsageError):
    """A model cannot be served."""


class ModelNotFound(ModelError):
    """No such model, version or file."""


class ModelCorrupt(ModelError):
    """The file is no model, or not the one that was stored."""


class ModelUnsupported(ModelError):
    """The model loads, but its inputs or outputs are none we know."""


class ModelUnsafe(ModelError):
    """The file would run code when it is loaded, or lead out of the store."""


class ModelTooLarge(ModelError):
    """The file is larger than the limit, or does not fit the memory it may use with every idle model unloaded."""


class SmokeFailed(ModelError):
    """The model loads, but does not find in its smoke input what its manifest says."""


class LocalError(UsageError):
    """The local Kafka or Redis could not be installed, started or stopped."""


class BadRecord(VssError):
    """This one record can never be processed."""


class MissingKey(BadRecord):
    """The record has no key, so its camera or sensor is unknown."""


class EmptyValue(BadRecord):
    """The record has no value."""


class BadHeader(BadRecord):
    """A header we read has a value we cannot."""


class UnsupportedContentType(BadRecord):
    """`datacontenttype` names a format that no codec reads, or another than the bytes are in."""


class UndecodableImage(BadRecord):
    """The bytes are no whole image."""


class ImageTooLarge(BadRecord):
    """The image's header announces more pixels than the limit; it was not decoded."""


class RecordTooLarge(BadRecord):
    """The value is larger than the limit, in bytes."""


class MalformedEvent(BadRecord):
    """A JSON value does not fit its schema."""


class BadReading(BadRecord):
    """The reading's time lies outside what can be, a value is no number, or it has more features than the limit."""


class TooManySensors(BadRecord):
    """There is no room for the window of one more sensor."""


class UnknownSensor(BadRecord):
    """Readings of this sensor are not expected; the settings name those that are."""


class UnknownModel(BadRecord):
    """The record asks for a model that the store does not have or that cannot be served."""


class InferenceFailed(VssError):
    """The model raised on this record."""


class InferenceTimedOut(InferenceFailed):
    """The model did not answer in time; trying again would hold the partition up once more."""


class StoreUnavailable(VssError):
    """The model store does not answer; it may come back."""


class GateFailed(VssError):
    """A version agrees less with another than was asked for."""


class StreamError(VssError):
    """Between us and Kafka."""


class BrokerUnavailable(StreamError):
    """No broker answers; it may come back."""


class TransactionAborted(StreamError):
    """Nothing of the transaction became visible; its records are read again."""


class Fenced(StreamError):
    """Another instance took over, or the broker forgot us; only a new client helps."""


class CacheUnavailable(VssError):
    """Redis is away; it may come back."""


class SourceError(VssError):
    """A camera's or sensor's input."""


class SourceUnavailable(SourceError):
    """The input cannot be opened or has dropped; it may come back."""


class SourceUnreadable(SourceError):
    """The input will never open."""

    exit_code = 2


class BrokenPromise(VssError):
    """A bug of ours: a step gave not exactly one outcome a record."""


class Action(enum.Enum):
    """What the loop does when a step raises."""

    DEAD_LETTER = "dead_letter"
    """The record goes to the dead-letter topic with its reason; its neighbours go on."""
    RETRY = "retry"
    """The record is tried again, `Policy.attempts` times in all, and then it is a dead letter."""
    PAUSE = "pause"
    """The whole batch is tried again with backoff until it passes; nothing is lost, the lag grows."""
    REWIND = "rewind"
    """Everything since the last commit is read again."""
    CRASH = "crash"
    """The process ends non-zero with the transaction aborted; another worker takes over."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One row of the table.

    Attributes:
        action: What the loop does.
        attempts: Tries in all, for `Action.RETRY`.
    """

    action: Action
    attempts: int = 1


POLICIES: Mapping[type[Exception], Policy] = {
    BadRecord: Policy(Action.DEAD_LETTER),
    InferenceFailed: Policy(Action.RETRY, attempts=2),
    InferenceTimedOut: Policy(Action.DEAD_LETTER),
    StoreUnavailable: Policy(Action.PAUSE),
    CacheUnavailable: Policy(Action.PAUSE),
    BrokerUnavailable: Policy(Action.PAUSE),
    TransactionAborted: Policy(Action.REWIND),
    StreamError: Policy(Action.CRASH),
    SourceError: Policy(Action.CRASH),
    GateFailed: Policy(Action.CRASH),
    UsageError: Policy(Action.CRASH),
    BrokenPromise: Policy(Action.CRASH),
    # What nobody foresaw is a bug, but not a reason to lose the neighbours: once more, then a dead letter that says so.
    Exception: Policy(Action.RETRY, attempts=2),
}


def policy_for(error: BaseException) -> Policy:
    """Returns the row of `POLICIES` for the error's class or the nearest of its bases.

    `BaseException`s that are no `Exception` (an interrupt, an exit) always crash.
    """
    for cls in type(error).__mro__:
        if (policy := POLICIES.get(cls)) is not None:
            return policy
    return Policy(Action.CRASH)
