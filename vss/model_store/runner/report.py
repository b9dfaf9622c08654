"""Counts what a runner's threads do."""

from __future__ import annotations

from typing import Final

from vss.metrics import Metrics

STAGES: Final = ("decode", "prepare", "inference", "postprocess")


class RunnerReport:
    """Counts inferences and the time of each stage.

    Args:
        metrics: Where it is counted.
        model_name: The label of the first two metrics.
        step: That the model works for.
    """

    def __init__(self, metrics: Metrics, model_name: str, step: str) -> None:
        # Looking a label up costs more than counting: once is enough.
        self._decode, self._prepare, self._inference, self._postprocess = (
            metrics.stage_seconds.labels(step, stage) for stage in STAGES
        )
        self._duration = metrics.inference_duration.labels(model_name)
        self._ok = metrics.inference_requests.labels(model_name, "ok")
        self._failed = metrics.inference_requests.labels(model_name, "error")
        self._timeouts = metrics.call_timeouts.labels(model_name)

    def prepared(self, decode_s: float, prepare_s: float) -> None:
        """A picture is in the model's input."""
        self._decode.inc(decode_s)
        self._prepare.inc(prepare_s)

    def ran(self, pictures: int, seconds: float) -> None:
        """A call of the model succeeded."""
        self._duration.observe(seconds)
        self._inference.inc(seconds)
        self._ok.inc(pictures)

    def failed(self, pictures: int) -> None:
        """A call of the model failed."""
        self._failed.inc(pictures)

    def timed_out(self, pictures: int) -> None:
        """A call took too long and was given up."""
        self._timeouts.inc()
        self._failed.inc(pictures)

    def finished(self, postprocess_s: float) -> None:
        """A picture has its result."""
        self._postprocess.inc(postprocess_s)
