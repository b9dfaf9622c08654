"""What becomes of what a source gives: paced, moved in time, looked at, and put into the buffer."""

from __future__ import annotations

from dataclasses import dataclass

from vss.metrics import Metrics
from vss.workers.ingest.counts import DropReason
from vss.workers.ingest.pacing import Pacer
from vss.workers.ingest.parts import Parts
from vss.workers.sensor.regularity import Finding, Irregularity, Regularity
from vss.workers.sensor.sample import Batch, Sample
from vss.workers.sensor.shift import Shift


@dataclass(frozen=True, slots=True)
class TakenReading:
    """A reading on its way.

    Attributes:
        seq: Counts what the source gave, from 0.
        sample: Its time is the one to publish.
    """

    seq: int
    sample: Sample


class ReadingTaker:
    """See `vss.workers.ingest.capture.Taker`.

    Args:
        parts: Where readings go and are counted; the log gets one line for the first reading that is none, and one for
            the first jump of a clock.
        pacer: Keeps the pace of what has none of its own; None reads as fast as it can.
        speed: Times the file's own pace.
        shift: Moves times; None leaves them.
        regularity: Looks at times.
        metrics: What is not as it should be.
    """

    def __init__(
        self,
        parts: Parts[TakenReading],
        *,
        pacer: Pacer | None,
        speed: float,
        shift: Shift | None,
        regularity: Regularity,
        metrics: Metrics,
    ) -> None:
        self._buffer = parts.buffer
        self._counts = parts.counts
        self._clock = parts.clock
        self._logger = parts.logger
        self._pacer = pacer
        self._speed = speed
        self._shift = shift
        self._regularity = regularity
        feed_id = parts.id
        self._said: set[str] = set()
        self._gaps = metrics.sensor_gaps.labels(feed_id)
        self._missing = metrics.sensor_missing_periods.labels(feed_id)
        self._out_of_order = metrics.sensor_out_of_order.labels(feed_id)
        self._jumps = {
            kind: metrics.sensor_clock_jumps.labels(feed_id, kind.value)
            for kind in (Irregularity.JUMP_FORWARD, Irregularity.JUMP_BACKWARD)
        }

    def restart(self) -> None:
        """See `Taker.restart`."""
        if self._pacer is not None:
            self._pacer.restart()
        if self._shift is not None:
            self._shift.restart()

    def take(self, item: Batch, elapsed_ns: int) -> None:
        """See `Taker.take`."""
        for one in item:
            if isinstance(one, Sample):
                if self._pacer is not None and not self._pacer.wait(int(one.ts_ms * 1_000_000 / self._speed)):
                    return
                self._put(one)
            else:
                self._counts.capture()
                self._counts.drop(DropReason.UNDECODABLE)
                self._say("undecodable", "this is no reading and is left out", reason=one.why)

    def _put(self, sample: Sample) -> None:
        if self._shift is not None:
            sample = Sample(sample.sensor_id, self._shift.apply(sample.ts_ms), sample.values)
        finding = self._regularity.look(sample.sensor_id, sample.ts_ms, self._clock.monotonic())
        if finding is not None:
            self._count(finding, sample)
        reading = TakenReading(self._counts.capture(), sample)
        shed = self._buffer.put(reading)
        if shed is not None:
            self._counts.drop(DropReason.STOPPED if shed is reading else DropReason.BUFFER_FULL)

    def _count(self, finding: Finding, sample: Sample) -> None:
        if finding.kind is Irregularity.GAP:
            self._gaps.inc()
            self._missing.inc(finding.missing)
        elif finding.kind is Irregularity.OUT_OF_ORDER:
            self._out_of_order.inc()
        else:
            self._jumps[finding.kind].inc()
            self._say(
                f"jump {finding.kind}",
                "a sensor's clock jumped; vss_sensor_clock_jumps_total counts",
                sensor_id=sample.sensor_id,
                by_s=round(finding.step_ms / 1000, 3),
            )

    def _say(self, topic: str, message: str, **more: object) -> None:
        """Once a run: what goes on is in the metrics."""
        if topic not in self._said:
            self._said.add(topic)
            self._logger.warning(message, **more)
