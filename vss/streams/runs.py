"""Runs: the records of a batch that follow one another in one partition.

What holds for a whole run (its partition is held, it has its outcome) is asked once and not for every record.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, groupby
from operator import attrgetter
from typing import Final, NamedTuple

from vss.schemas.envelope import Record, TopicPartition

_PARTITION: Final = attrgetter("topic_partition")


class Run(NamedTuple):
    """Records of one partition, in the order of the batch; never empty."""

    partition: TopicPartition
    records: list[Record]


def runs_of(records: Iterable[Record]) -> list[Run]:
    """Cuts a batch wherever the partition changes."""
    return [Run(partition, list(group)) for partition, group in groupby(records, _PARTITION)]


def records_of(runs: Iterable[Run]) -> list[Record]:
    """The batch again."""
    return list(chain.from_iterable(run.records for run in runs))
