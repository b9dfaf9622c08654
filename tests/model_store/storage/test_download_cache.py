from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vss.clock import SystemClock
from vss.errors import ConfigError, ModelCorrupt, StoreUnavailable
from vss.metrics import Metrics
from vss.model_store.storage.download_cache import DownloadCache, Wanted


def wanted(content: bytes, name: str = "model.onnx") -> Wanted:
    return Wanted(hashlib.sha256(content).hexdigest(), name, len(content), "s3://fleet/gate/1/model.onnx")


def writes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def never(_path: Path) -> object:
    raise AssertionError("downloaded again")


class SetClock(SystemClock):
    def __init__(self) -> None:
        self.ns = time.time_ns()

    def now_ns(self) -> int:
        return self.ns

    def minutes_pass(self, minutes: float) -> None:
        self.ns += int(minutes * 60e9)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def cache(tmp_path: Path, clock: SetClock) -> DownloadCache:
    return DownloadCache(tmp_path / "cache", 100, clock=clock)


def held(cache: DownloadCache) -> set[bytes]:
    return {path.read_bytes() for path in cache.folder.glob("*/model.*")}


def test_a_file_is_downloaded_once(cache: DownloadCache) -> None:
    first = cache.file(wanted(b"one"), writes(b"one"))

    assert first.read_bytes() == b"one"
    assert first.name == "model.onnx"
    assert cache.file(wanted(b"one"), never) == first


def test_one_content_under_two_names_is_two_files(cache: DownloadCache) -> None:
    cache.file(wanted(b"one"), writes(b"one"))

    assert cache.file(wanted(b"one", "model.pth"), writes(b"one")).name == "model.pth"
    assert cache.file(wanted(b"one"), never).name == "model.onnx"


def test_the_least_recently_used_go_when_it_is_full(cache: DownloadCache, clock: SetClock) -> None:
    contents = [bytes([65 + number]) * 30 for number in range(5)]
    for content in contents[:3]:
        cache.file(wanted(content), writes(content))
        clock.minutes_pass(5)
    cache.file(wanted(contents[0]), never)
    clock.minutes_pass(5)

    cache.file(wanted(contents[3]), writes(contents[3]))
    assert held(cache) == {contents[0], contents[2], contents[3]}
    clock.minutes_pass(5)
    cache.file(wanted(contents[4]), writes(contents[4]))
    assert held(cache) == {contents[0], contents[3], contents[4]}


def test_what_was_handed_out_just_now_is_not_taken_away(cache: DownloadCache, clock: SetClock) -> None:
    first = cache.file(wanted(b"a" * 60), writes(b"a" * 60))
    clock.minutes_pass(0.5)

    cache.file(wanted(b"b" * 60), writes(b"b" * 60))
    assert first.exists()
    clock.minutes_pass(2)
    cache.file(wanted(b"c" * 60), writes(b"c" * 60))
    assert held(cache) == {b"c" * 60}


def test_an_open_file_stays_readable_when_it_goes(cache: DownloadCache, clock: SetClock) -> None:
    with cache.file(wanted(b"a" * 60), writes(b"a" * 60)).open("rb") as opened:
        clock.minutes_pass(5)
        cache.file(wanted(b"b" * 60), writes(b"b" * 60))

        assert opened.read() == b"a" * 60


def test_a_file_larger_than_the_cache_is_refused_with_the_setting(cache: DownloadCache) -> None:
    with pytest.raises(ConfigError) as caught:
        cache.file(wanted(b"x" * 101), never)
    assert caught.value.fix == "raise model.download_cache_bytes"


@pytest.mark.parametrize(
    ("came", "error"), [(b"on", StoreUnavailable), (b"onee", StoreUnavailable), (b"two", ModelCorrupt)]
)
def test_what_is_not_the_file_never_gets_its_name(cache: DownloadCache, came: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        cache.file(wanted(b"one"), writes(came))

    assert held(cache) == set()
    assert cache.file(wanted(b"one"), writes(b"one")).read_bytes() == b"one"


def test_a_damaged_file_is_noticed_and_fetched_anew(cache: DownloadCache) -> None:
    path = cache.file(wanted(b"one"), writes(b"one"))
    path.chmod(0o644)
    path.write_bytes(b"eno")

    assert cache.file(wanted(b"one"), writes(b"one")).read_bytes() == b"one"


def test_what_it_does_is_counted(tmp_path: Path, clock: SetClock) -> None:
    metrics = Metrics()
    cache = DownloadCache(tmp_path / "cache", 100, clock=clock, metrics=metrics)

    def counted(result: str) -> float | None:
        return metrics.registry.get_sample_value("vss_model_downloads_total", {"result": result})

    cache.file(wanted(b"a" * 60), writes(b"a" * 60))
    cache.file(wanted(b"a" * 60), never)
    with pytest.raises(StoreUnavailable):
        cache.file(wanted(b"b" * 30), writes(b"b"))
    assert (counted("fetched"), counted("cached"), counted("failed")) == (1, 1, 1)
    assert metrics.registry.get_sample_value("vss_model_download_cache_bytes") == 60
    clock.minutes_pass(5)
    cache.file(wanted(b"c" * 50), writes(b"c" * 50))
    assert metrics.registry.get_sample_value("vss_model_download_cache_bytes") == 50


def test_a_process_that_finds_everything_there_says_how_much_is_held(cache: DownloadCache) -> None:
    cache.file(wanted(b"a" * 60), writes(b"a" * 60))
    cache.file(wanted(b"b" * 30), writes(b"b" * 30))
    metrics = Metrics()
    DownloadCache(cache.folder, 100, metrics=metrics).file(wanted(b"a" * 60), never)
    assert metrics.registry.get_sample_value("vss_model_download_cache_bytes") == 90


def test_threads_that_want_the_same_file_download_it_once(cache: DownloadCache) -> None:
    downloads: list[Path] = []

    def slow(path: Path) -> object:
        downloads.append(path)
        time.sleep(0.1)
        return path.write_bytes(b"one")

    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: cache.file(wanted(b"one"), slow), range(8)))

    assert len(paths) == 1
    assert len(downloads) == 1


def _download_slowly(folder: Path, log: Path, content: bytes) -> None:
    def slow(path: Path) -> object:
        with log.open("a") as lines:
            lines.write("download\n")
        path.write_bytes(content[:1])
        time.sleep(0.3)
        return path.write_bytes(content)

    path = DownloadCache(folder, 1000).file(wanted(content), slow)
    assert path.read_bytes() == content


def test_processes_that_want_the_same_file_download_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    crowd = [context.Process(target=_download_slowly, args=(tmp_path / "cache", log, b"one")) for _ in range(3)]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join(60)

    assert [process.exitcode for process in crowd] == [0, 0, 0]
    assert log.read_text() == "download\n"


def _die_inside_download(folder: Path) -> None:
    def die(path: Path) -> object:
        path.write_bytes(b"on")
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    DownloadCache(folder, 1000).file(wanted(b"one"), die)


def test_a_process_killed_inside_a_download_holds_nobody_back(cache: DownloadCache) -> None:
    victim = multiprocessing.get_context("spawn").Process(target=_die_inside_download, args=(cache.folder,))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -9
    assert [path.read_bytes() for path in cache.folder.glob("*/.part-*")] == [b"on"]

    assert held(cache) == set()
    assert cache.file(wanted(b"one"), writes(b"one")).read_bytes() == b"one"
    assert list(cache.folder.glob("*/.part-*")) == []


def test_a_file_that_is_being_downloaded_is_not_cleared_away(cache: DownloadCache, clock: SetClock) -> None:
    started, go_on = threading.Event(), threading.Event()

    def waiting(path: Path) -> object:
        path.write_bytes(b"a" * 30)
        started.set()
        assert go_on.wait(30)
        return path.write_bytes(b"a" * 60)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cache.file, wanted(b"a" * 60), waiting)
        assert started.wait(30)
        clock.minutes_pass(60)
        cache.file(wanted(b"b" * 90), writes(b"b" * 90))
        go_on.set()
        assert first.result(30).read_bytes() == b"a" * 60


def test_what_a_killed_adder_left_is_cleared_away_and_what_a_live_one_holds_is_not(cache: DownloadCache) -> None:
    abandoned = cache.folder / ".staging-killed"
    (abandoned / "files").mkdir(parents=True)
    (abandoned / ".held").touch()

    with cache.staging() as staged:
        (staged / "model.onnx").write_bytes(b"mine")
        cache.file(wanted(b"one"), writes(b"one"))
        assert not abandoned.exists()
        assert (staged / "model.onnx").exists()
    assert list(cache.folder.glob(".staging-*")) == []


def test_a_folder_that_cannot_be_written_is_one_line_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(ConfigError, match="cannot be used") as caught:
        DownloadCache(tmp_path / "taken" / "cache", 100).file(wanted(b"one"), never)
    assert "model.download_cache" in caught.value.fix
