"""Runs the demo: servers, topics, processes, the show, the audit, the pictures, and nothing left behind."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vss.clock import Clock
from vss.codecs.images import Image
from vss.config import Settings
from vss.demo import CONVEYOR_MODEL, PUMP_MODEL
from vss.demo.board import Board, percentile
from vss.demo.children import Children, usable_cores
from vss.demo.cluster import child_environment, demo_settings, model_settings, sensor_environment
from vss.demo.live import View
from vss.demo.pace import camera_fps, first_image, measured_fps
from vss.demo.pictures import write_pictures
from vss.demo.pump.chart import write_chart
from vss.demo.pump.feed import PumpFeed
from vss.demo.pump.verdict import judge, read_log
from vss.demo.pump.watch import PUMP
from vss.demo.scene.clips import cached_clips
from vss.demo.show import Played, Show
from vss.demo.summary import Summary, WorkerResult, problems_of
from vss.demo.watcher import Watcher
from vss.errors import ConfigError
from vss.local.fleet import LocalFleet
from vss.local.state import running
from vss.logs import get_logger
from vss.model_store.resolve import resolve_model
from vss.model_store.runner.runner import Runner
from vss.schemas.topics import CATALOGUE, CLASSIFICATIONS, FRAMES, MODEL_EVENTS, RESULTS, TELEMETRY
from vss.streams.topic_admin import create_topics
from vss.workers.checks.audit import audit
from vss.workers.redis_view.reader import ResultView
from vss.workers.service import consumer_group

# Scenes the model was not trained on.
SEEDS = (3, 11)
WORKERS = ("worker-1", "worker-2")
# Of two partitions these names fall on different ones, so that each worker has a camera.
CAMERAS = ("belt-north", "belt-south")
MOST_FPS = 15.0
PUMP_SEED = 7
FAULT_AT = 0.55
"""When the bearing's fault starts, as a share of the demo."""
_START_S = 60.0
# Nobody writes to these in a demo; what reads all results wants them to be there.
_LATER = (CLASSIFICATIONS, RESULTS, MODEL_EVENTS)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        seconds: That the cameras run.
        folder: Gets pictures, logs and the servers' data; made when missing.
        video: What both cameras show; None shows made-up conveyors.
        model: What the workers run; None runs the model that knows the conveyor's parts.
        most_fps: Of each camera; less where the machine cannot keep up.
        drain_s: How long the last frames may take once the cameras have stopped.
    """

    seconds: float
    folder: Path
    video: str | None = None
    model: str | None = None
    most_fps: float = MOST_FPS
    drain_s: float = 60.0


def run_demo(
    plan: Plan,
    view: View,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    stop: threading.Event,
    say: Callable[[str], None],
) -> Summary:
    """Runs it from nothing to nothing.

    Args:
        plan: What to run.
        view: Shows it.
        environ: This process's environment.
        clock: Time.
        stop: Ends the demo early, with its summary, when set.
        say: Told what is being done before the view begins and after it.

    Raises:
        VssError: It could not start; nothing is left running.
        KeyboardInterrupt: It was ended before there was anything to sum up; nothing is left running.
    """
    folder = plan.folder.absolute()
    video, model = _absolute(plan.video), _absolute(plan.model)
    cores, logger = usable_cores(), get_logger("demo")
    # What the user gave fails now, before anything was started.
    image = first_image(video) if video is not None else None
    of_model = model_settings(threads=max(1, cores // len(WORKERS)))
    spec = model if model is not None else str(CONVEYOR_MODEL)
    all_threads = of_model.model_copy(update={"threads": of_model.threads * len(WORKERS)})
    detector = Runner.load(resolve_model(spec, of_model), all_threads)
    _prepare(folder)
    with ExitStack() as resources:
        resources.callback(detector.close)
        fleet = LocalFleet(folder / "servers")
        resources.callback(_remove_data, folder)
        sources = [video] * len(CAMERAS) if video is not None else []
        say("starting Kafka and Redis" if sources else "starting Kafka and Redis, drawing the conveyors")
        with ThreadPoolExecutor(1) as beside:
            drawing = beside.submit(cached_clips, folder / "scenes", SEEDS if not sources else ())
            resources.enter_context(fleet)
            sources = sources or [str(clip) for clip in drawing.result()]
        _unless(stop)
        settings = demo_settings(fleet.addresses, of_model)
        fps = _pace(detector, image if image is not None else first_image(sources[0]), plan, clock, say)
        detector.close()
        say("starting the workers")
        _create_topics(settings)
        children = resources.enter_context(Children(folder, environ=child_environment(environ, settings), clock=clock))
        redis = resources.enter_context(ResultView.connect(settings.redis, topic_prefix=settings.kafka.topic_prefix))
        watcher = resources.enter_context(Watcher(settings.kafka, CAMERAS, clock=clock, logger=logger))
        _unless(stop)
        _start_workers(children, spec, settings, environ)
        _unless(stop)
        # The pump runs before its sensor looks, and ends after it.
        pump = resources.enter_context(PumpFeed(folder / "pump.pipe", seed=PUMP_SEED, clock=clock))
        moments = _Moments(pump, watcher, clock, fault_after_s=FAULT_AT * plan.seconds)
        show = Show(
            view=view,
            board=Board(watcher, children.of("detect"), redis, clock),
            children=children,
            start_sources=lambda: _start_sources(children, sources, fps, folder / "pump.pipe"),
            begin=moments.begin,
            end=pump.stop,
            seconds=plan.seconds,
            drain_s=plan.drain_s,
            clock=clock,
            stop=stop,
        )
        with view:
            played = show.play()
        say("checking that every frame and reading has one outcome, drawing the pictures")
        return _sum_up(folder, settings, watcher, played, f"{detector.name}@{detector.version}", fps, clock, moments)


class _Moments:
    """When the demo's time began, and with it what depends on it."""

    def __init__(self, pump: PumpFeed, watcher: Watcher, clock: Clock, *, fault_after_s: float) -> None:
        self._pump = pump
        self._watcher = watcher
        self._clock = clock
        self._fault_after_s = fault_after_s
        self.began_ms = 0

    def begin(self) -> None:
        """Everything runs: latencies count from now, and the pump's fault will come."""
        self.began_ms = self._clock.now_ns() // 1_000_000
        self._watcher.begin()
        self._pump.break_in(self._fault_after_s)

    @property
    def fault_ms(self) -> int | None:
        """When the fault starts."""
        return self._pump.fault_ms


def _unless(stop: threading.Event) -> None:
    if stop.is_set():
        raise KeyboardInterrupt


def _pace(detector: Runner[Any], image: Image, plan: Plan, clock: Clock, say: Callable[[str], None]) -> float:
    """Frames a second that each camera shall send."""
    machine_fps = measured_fps(detector, image, clock)
    fps = camera_fps(machine_fps, len(CAMERAS), plan.most_fps)
    if fps < plan.most_fps:
        say(
            f"each camera sends {fps:g} frames/s, which leaves room for all that runs beside the model:"
            f" it alone takes {machine_fps:.1f}/s here"
        )
    return fps


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if running(folder / "servers") is not None:
            raise ConfigError(f"another demo runs in {folder}", fix="choose another folder with --out")
        shutil.rmtree(folder / "servers", ignore_errors=True)
        for left in ("picture.png", "clip.mp4", "pump.png"):
            (folder / left).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder {folder} cannot be written: {error.strerror}",
            fix="choose a folder you may write to with --out",
        ) from error


def _remove_data(folder: Path) -> None:
    """The servers' data is of no use once the demo is over; their logs may be."""
    for name in ("kafka", "redis"):
        shutil.rmtree(folder / "servers" / name, ignore_errors=True)


def _absolute(given: str | None) -> str | None:
    """A path as it is seen from anywhere; anything else (a URL, a model's name) as it is."""
    if given is None:
        return None
    path = Path(given).expanduser()
    return str(path.absolute()) if path.exists() else given


def _create_topics(settings: Settings) -> None:
    create_topics(settings.kafka, topics=[topic for topic in CATALOGUE if topic not in (FRAMES, TELEMETRY, *_LATER)])
    # One pump is one partition's work; less for the broker to keep.
    create_topics(settings.kafka, topics=[TELEMETRY], partitions=1)
    # As many partitions as workers, each with one camera.
    create_topics(settings.kafka, topics=[FRAMES], partitions=len(WORKERS))


def _start_workers(children: Children, spec: str, settings: Settings, environ: Mapping[str, str]) -> None:
    for name in WORKERS:
        children.start(name, "detect", ["worker", "detect", "--model", spec, "--metrics-port", "0"])
    # While those load their model.
    create_topics(settings.kafka, topics=_LATER)
    children.start("cache", "cache", ["worker", "cache", "--metrics-port", "0"])
    of_sensors = sensor_environment(environ, settings)
    watch = ["worker", "anomaly", "--model", str(PUMP_MODEL), "--stride", "2", "--threads", "1", "--metrics-port", "0"]
    children.start("anomaly", "anomaly", watch, environ=of_sensors)
    children.wait_for_ports(children.all, _START_S)


def _start_sources(children: Children, sources: Sequence[str], fps: float, pipe: Path) -> None:
    children.start(PUMP, "sensor", ["sensor", PUMP, "-"], pipe=pipe)
    for camera, source in zip(CAMERAS, sources, strict=True):
        children.start(camera, "camera", ["camera", camera, source, "--loop", "--fps", f"{fps:g}"])


def _sum_up(
    folder: Path,
    settings: Settings,
    watcher: Watcher,
    played: Played,
    model: str,
    fps: float,
    clock: Clock,
    moments: _Moments,
) -> Summary:
    group = consumer_group(settings, "detect")
    # The watcher has seen an outcome of each frame already; what may be left is the moment until the group says so.
    report = audit(settings.kafka, group=group, wait_s=0.0 if played.last.waiting else 5.0, clock=clock)
    of_readings = audit(
        settings.kafka,
        group=consumer_group(settings, "anomaly"),
        topic=TELEMETRY,
        limits=settings.limits,
        wait_s=5.0,
        clock=clock,
    )
    written = write_pictures(settings, folder, clock=clock, logger=get_logger("demo"))
    log = read_log(settings, clock=clock, logger=get_logger("demo"))
    pump = judge(log, of_readings, began_ms=moments.began_ms, fault_ms=moments.fault_ms)
    latencies = watcher.all_latencies_ms()
    return Summary(
        seconds=played.ran_s,
        cameras=CAMERAS,
        camera_fps=fps,
        model=model,
        frames=report.records,
        events=report.events,
        shed=report.shed,
        dead_letters=report.dead_letters,
        missing=report.missing,
        doubled=report.doubled,
        kept=report.holds and report.records > 0,
        p50_ms=percentile(latencies, 0.5),
        p95_ms=percentile(latencies, 0.95),
        workers=tuple(
            WorkerResult(last.name, last.frames, (last.frames - first.frames) / max(played.took_s, 0.001))
            for first, last in zip(played.first.workers, played.last.workers, strict=True)
        ),
        objects=played.last.seen.objects,
        picture=written.picture,
        clip=written.clip,
        logs=folder / "logs",
        pump=pump,
        pump_picture=write_chart(log, pump, folder / "pump.png", began_ms=moments.began_ms),
        problems=(*played.problems, *problems_of(report), *pump.problems()),
    )
