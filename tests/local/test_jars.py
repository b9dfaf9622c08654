"""The broker's jars: what was locked or nothing, whatever the network and the disk do."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vss.errors import LocalError
from vss.local.jars import HALF_SUFFIX, Jar, JarCache, JarLock, cache_folder, read_lock
from vss.local.repository import repository_address, request
from vss.testing import ManualClock

JARS = {f"part{number}": os.urandom(400_000 + number) for number in range(10)}


class Mirror(http.server.ThreadingHTTPServer):
    """A Maven repository over HTTP that can be told to misbehave.

    Attributes:
        asked: How often each path was asked for.
        trouble: Called with a request and how often its path was asked for; returns whether it answered.
    """

    request_queue_size = 64  # with the default of 5, a connection more waits a second

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files = files
        self.asked: Counter[str] = Counter()
        self.authorization: set[str | None] = set()
        self.trouble: Callable[[http.server.BaseHTTPRequestHandler, int], bool] = lambda _request, _time: False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        self.server.authorization.add(self.headers["Authorization"])
        if self.server.trouble(self, self.server.asked[self.path]):
            return
        content = self.server.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Keeps quiet."""


def jar(name: str, content: bytes) -> Jar:
    return Jar(f"org.example.parts:{name}:1.0", hashlib.sha256(content).hexdigest(), len(content))


LOCK = JarLock("4.3.0", tuple(jar(name, content) for name, content in JARS.items()))
PATHS = {one.url_path: JARS[one.coordinates.split(":")[1]] for one in LOCK.jars}


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror(dict(PATHS)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def cache(folder: Path, address: str, out: io.StringIO | None = None) -> JarCache:
    return JarCache(folder, LOCK, repository=lambda: address, out=out or io.StringIO(), clock=ManualClock())


def assert_whole(folder: Path) -> None:
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        one.file_name: PATHS[one.url_path] for one in LOCK.jars
    }


def test_jars_are_fetched_once_and_given_in_the_locks_order(tmp_path: Path, mirror: Mirror) -> None:
    out = io.StringIO()
    paths = cache(tmp_path / "jars", mirror.address, out).ensure()
    assert [path.name for path in paths] == [one.file_name for one in LOCK.jars]
    assert_whole(tmp_path / "jars")
    assert "fetching Kafka 4.3.0: 10 files, 4 of 4 MB" in out.getvalue()
    again = io.StringIO()
    cache(tmp_path / "jars", mirror.address, again).ensure()
    assert set(mirror.asked.values()) == {1}
    assert again.getvalue() == ""


def test_jars_are_fetched_side_by_side(tmp_path: Path, mirror: Mirror) -> None:
    # Nobody is served before four have asked: one after the other would wait for ever.
    barrier = threading.Barrier(4, timeout=30)
    first_four = iter(range(4))

    def wait_for_others(_request: http.server.BaseHTTPRequestHandler, _time: int) -> bool:
        if next(first_four, None) is not None:
            barrier.wait()
        return False

    mirror.trouble = wait_for_others
    cache(tmp_path, mirror.address).ensure()
    assert_whole(tmp_path)
    assert not barrier.broken


def test_a_folder_serves_as_a_mirror(tmp_path: Path) -> None:
    for path, content in PATHS.items():
        (tmp_path / "mirror" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mirror" / path).write_bytes(content)
    cache(tmp_path / "jars", (tmp_path / "mirror").as_uri()).ensure()
    assert_whole(tmp_path / "jars")


def test_a_file_that_is_not_the_locked_one_is_refused(tmp_path: Path, mirror: Mirror) -> None:
    changed = LOCK.jars[3]
    mirror.files[changed.url_path] = b"x" * changed.size_bytes
    with pytest.raises(LocalError, match="is not the file that was locked") as raised:
        cache(tmp_path, mirror.address).ensure()
    assert changed.url_path in str(raised.value)
    assert not (tmp_path / changed.file_name).exists()
    assert mirror.asked[f"/{changed.url_path}"] == 1  # trying again would not make it another file
    assert list(tmp_path.glob(f"*{HALF_SUFFIX}")) == []


def test_a_file_that_never_ends_is_not_read_to_the_end(tmp_path: Path, mirror: Mirror) -> None:
    endless = LOCK.jars[0]
    sent: list[int] = []

    def send_on_and_on(request_: http.server.BaseHTTPRequestHandler, _time: int) -> bool:
        if not request_.path.endswith(endless.file_name):
            return False
        request_.send_response(200)
        request_.end_headers()
        try:
            for _ in range(10_000):
                request_.wfile.write(b"x" * 65536)
                sent.append(65536)
        except OSError:
            pass
        return True

    mirror.trouble = send_on_and_on
    with pytest.raises(LocalError, match="is not the file that was locked"):
        cache(tmp_path, mirror.address).ensure()
    assert sum(sent) < 100e6


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]),
    ],
    ids=["missing", "cut off", "one byte changed"],
)
def test_a_damaged_cache_is_repaired(tmp_path: Path, mirror: Mirror, damage: Callable[[Path], object]) -> None:
    cache(tmp_path, mirror.address).ensure()
    mirror.asked.clear()
    damage(tmp_path / LOCK.jars[2].file_name)
    cache(tmp_path, mirror.address).ensure()
    assert_whole(tmp_path)
    assert dict(mirror.asked) == {f"/{LOCK.jars[2].url_path}": 1}


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_mirror_is_asked_again(tmp_path: Path, mirror: Mirror, status: int) -> None:
    def busy_twice(request_: http.server.BaseHTTPRequestHandler, time_: int) -> bool:
        if time_ <= 2:
            request_.send_error(status)
        return time_ <= 2

    mirror.trouble = busy_twice
    cache(tmp_path, mirror.address).ensure()
    assert_whole(tmp_path)
    assert set(mirror.asked.values()) == {3}


def test_a_connection_that_breaks_off_is_made_again(tmp_path: Path, mirror: Mirror) -> None:
    def half_the_first_time(request_: http.server.BaseHTTPRequestHandler, time_: int) -> bool:
        if time_ == 1:
            content = mirror.files[request_.path.lstrip("/")]
            request_.send_response(200)
            request_.send_header("Content-Length", str(len(content)))
            request_.end_headers()
            request_.wfile.write(content[: len(content) // 2])
        return time_ == 1

    mirror.trouble = half_the_first_time
    out = io.StringIO()
    cache(tmp_path, mirror.address, out).ensure()
    assert_whole(tmp_path)
    assert out.getvalue().splitlines()[-1].endswith("4 of 4 MB")  # halves that were fetched twice count once


def test_a_mirror_that_stays_away_is_an_error_with_a_fix(tmp_path: Path, mirror: Mirror) -> None:
    def always_busy(request_: http.server.BaseHTTPRequestHandler, _time: int) -> bool:
        request_.send_error(503)
        return True

    mirror.trouble = always_busy
    with pytest.raises(LocalError, match="cannot be fetched: HTTP Error 503") as raised:
        cache(tmp_path, mirror.address).ensure()
    assert "VSS_MAVEN_MIRROR" in raised.value.fix
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_not_asked_for_again(tmp_path: Path, mirror: Mirror) -> None:
    del mirror.files[LOCK.jars[0].url_path]
    with pytest.raises(LocalError, match="HTTP Error 404"):
        cache(tmp_path, mirror.address).ensure()
    assert mirror.asked[f"/{LOCK.jars[0].url_path}"] == 1


def test_nobody_listening_is_an_error_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="Connection refused") as raised:
        cache(tmp_path, "http://127.0.0.1:9").ensure()
    assert "VSS_MAVEN_MIRROR" in raised.value.fix


def test_an_unwritable_cache_is_an_error_with_a_fix(tmp_path: Path, mirror: Mirror) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LocalError, match=r"the cache .* cannot be written") as raised:
        cache(tmp_path / "file" / "jars", mirror.address).ensure()
    assert "VSS_CACHE" in raised.value.fix
    (tmp_path / "jars" / LOCK.jars[0].file_name).mkdir(parents=True)
    with pytest.raises(LocalError, match=r"the cache .* cannot be written"):
        cache(tmp_path / "jars", mirror.address).ensure()


FETCH_SLOWLY = """
import signal
import sys
from pathlib import Path
from vss.local.jars import Jar, JarCache, JarLock
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the suite runs in the background
folder, address, path, size = sys.argv[1:]
lock = JarLock("4.3.0", (Jar(path, "0" * 64, int(size)),))
JarCache(Path(folder), lock, repository=lambda: address, out=sys.stderr).ensure()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_download_leaves_nothing_that_counts(
    tmp_path: Path, mirror: Mirror, how: signal.Signals
) -> None:
    under_way, over = threading.Event(), threading.Event()

    def stall_half_way(request_: http.server.BaseHTTPRequestHandler, _time: int) -> bool:
        request_.send_response(200)
        request_.end_headers()
        request_.wfile.write(b"x" * 1_000_000)
        under_way.set()
        while not over.wait(0.05):
            try:
                request_.wfile.write(b"x" * 1000)
            except OSError:
                break
        return True

    mirror.trouble = stall_half_way
    name = LOCK.jars[0].coordinates
    fetching = subprocess.Popen(
        [sys.executable, "-c", FETCH_SLOWLY, str(tmp_path), mirror.address, name, "900000000"], stderr=subprocess.PIPE
    )
    assert under_way.wait(60)
    deadline_s = time.monotonic() + 60
    while not any(path.stat().st_size > 0 for path in tmp_path.glob(f"*{HALF_SUFFIX}")):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    fetching.send_signal(how)
    _, complaint = fetching.communicate(timeout=60)
    over.set()
    assert fetching.returncode != 0, complaint
    assert list(tmp_path.glob("*.jar")) == []
    left = list(tmp_path.iterdir())
    if how is signal.SIGINT:
        assert left == []
    else:
        assert [path.suffix for path in left] == [HALF_SUFFIX]  # no time to tidy up; the next download does
        os.utime(left[0], (0, 0))
        mirror.trouble = lambda _request, _time: False
        fresh = JarCache(tmp_path, LOCK, repository=lambda: mirror.address, out=io.StringIO())
        fresh.ensure()
        assert_whole(tmp_path)


def test_what_another_process_is_writing_is_not_tidied_away(tmp_path: Path, mirror: Mirror) -> None:
    half = tmp_path / f".other.jar.abc{HALF_SUFFIX}"
    half.write_bytes(b"x")
    JarCache(tmp_path, LOCK, repository=lambda: mirror.address, out=io.StringIO()).ensure()
    assert half.exists()


def test_the_mirror_wins_and_jgo_gives_the_default() -> None:
    from jgo.constants import MAVEN_CENTRAL_URL

    assert repository_address({"VSS_MAVEN_MIRROR": "https://maven.example/repo/"}) == "https://maven.example/repo"
    assert repository_address({}) == MAVEN_CENTRAL_URL.rstrip("/")


def test_without_mirror_and_jgo_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jgo.constants", None)
    with pytest.raises(LocalError, match="no repository is known") as raised:
        repository_address({})
    assert "VSS_MAVEN_MIRROR" in raised.value.fix
    assert "vss-fleet[local]" in raised.value.fix


def test_a_filled_cache_needs_no_repository(tmp_path: Path, mirror: Mirror) -> None:
    cache(tmp_path, mirror.address).ensure()

    def nowhere() -> str:
        raise AssertionError("was asked for a repository")

    JarCache(tmp_path, LOCK, repository=nowhere, out=io.StringIO()).ensure()


@pytest.mark.parametrize("address", ["ftp://mirror/maven", "/var/mirror", "maven.example"])
def test_a_mirror_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(LocalError, match="no address to fetch from"):
        repository_address({"VSS_MAVEN_MIRROR": address})


def test_a_mirrors_name_and_password_are_sent_and_never_shown(tmp_path: Path, mirror: Mirror) -> None:
    address = mirror.address.replace("http://", "http://robot:hunter2%21@")
    cache(tmp_path / "jars", address).ensure()
    assert mirror.authorization == {"Basic cm9ib3Q6aHVudGVyMiE="}  # robot:hunter2!
    mirror.files.clear()
    with pytest.raises(LocalError, match="cannot be fetched") as raised:
        cache(tmp_path / "other", address).ensure()
    assert "hunter2" not in str(raised.value)
    assert request("http://a.example/b").headers == {}


def test_the_cache_is_where_the_user_wants_it() -> None:
    assert cache_folder({"VSS_CACHE": "/a"}) == Path("/a")
    assert cache_folder({"XDG_CACHE_HOME": "/b"}) == Path("/b/vss-fleet")
    assert cache_folder({}) == Path.home() / ".cache" / "vss-fleet"


def test_the_lock_names_a_checksum_for_every_jar_and_no_repository() -> None:
    lock = read_lock()
    assert len(lock.jars) > 40
    assert any(one.coordinates == f"org.apache.kafka:kafka_2.13:{lock.kafka_version}" for one in lock.jars)
    assert all(len(one.sha256) == 64 and one.size_bytes > 0 for one in lock.jars)
    assert len({one.file_name for one in lock.jars}) == len(lock.jars)
    assert "://" not in (Path(read_lock.__code__.co_filename).with_name("kafka.lock.json")).read_text()
