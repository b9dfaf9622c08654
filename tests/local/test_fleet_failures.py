"""What can go wrong with a local fleet: it says what helps, and leaves nothing running."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.local.clients import gone
from vss.errors import LocalError
from vss.local.fleet import LocalFleet
from vss.local.jars import cache_folder
from vss.local.state import KAFKA, REDIS, read_state


def fake_java(folder: Path, says: str) -> dict[str, str]:
    """An environment whose Java starts nothing but tells why."""
    java = folder / "home" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f'#!/bin/sh\n[ "$1" = -version ] && echo \'openjdk version "21"\' && exit 0\n{says}\nexit 1\n')
    java.chmod(0o755)
    return {**os.environ, "JAVA_HOME": str(folder / "home")}


def test_a_failed_start_shows_the_logs_last_lines_and_leaves_nothing_running(tmp_path: Path) -> None:
    environ = fake_java(tmp_path, 'case "$*" in *StorageTool*) exit 0;; esac; seq 1 100; echo no memory')
    fleet = LocalFleet(tmp_path / "fleet", environ=environ)
    with pytest.raises(LocalError) as raised:
        fleet.up()
    message = str(raised.value)
    assert message.startswith("kafka ended while it started; its last lines:\n    82\n")
    assert message.endswith("    100\n    no memory")
    assert str(fleet.log_file(KAFKA)) in raised.value.fix
    assert [server.running for server in fleet.status()] == [False, False]
    assert fleet.log_file(KAFKA).read_text().endswith("no memory\n")


def test_a_failed_start_stops_only_what_it_started(tmp_path: Path) -> None:
    environ = fake_java(tmp_path, "echo broken")
    fleet = LocalFleet(tmp_path / "fleet", environ=environ)
    try:
        fleet.up(kafka=False)
        with pytest.raises(LocalError, match="Kafka cannot format"):
            fleet.up()
        assert [server.answering for server in fleet.status()] == [False, True]
    finally:
        fleet.down()


def test_ctrl_c_in_a_terminal_does_not_reach_what_formats_kafkas_folder(tmp_path: Path) -> None:
    environ = fake_java(tmp_path, f"ps -o sid= -p $$ > {tmp_path}/session")
    with pytest.raises(LocalError, match="Kafka cannot format"):
        LocalFleet(tmp_path / "fleet", environ=environ).up(redis=False)
    assert int((tmp_path / "session").read_text()) != os.getsid(0)


def test_a_corrupt_data_folder_is_an_error_that_says_what_helps(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    try:
        fleet.up(redis=False)
        fleet.down()
        (tmp_path / KAFKA / "data" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
        with pytest.raises(LocalError, match="its last lines") as raised:
            fleet.up(redis=False)
        assert "meta.properties" in str(raised.value)
        assert f"removing {tmp_path / KAFKA} starts it afresh" in raised.value.fix
        for path in sorted((tmp_path / KAFKA).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        assert fleet.up(redis=False).bootstrap_servers
    finally:
        fleet.down()


def test_data_of_a_newer_kafka_are_an_error_that_says_what_helps(tmp_path: Path) -> None:
    says = (
        'case "$*" in *StorageTool*) exit 0;; esac; echo "Caused by: org.apache.kafka.common.errors.'
        "UnsupportedVersionException: Can't read version 4 of BrokerEndpoint\""
    )
    with pytest.raises(LocalError, match="written by a newer Kafka than this one") as raised:
        LocalFleet(tmp_path / "fleet", environ=fake_java(tmp_path, says)).up(redis=False)
    assert f"remove {tmp_path / 'fleet' / KAFKA}" in raised.value.fix


def test_a_corrupt_redis_file_is_an_error_that_says_what_helps(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.up(kafka=False)
    redis.Redis.from_url(fleet.addresses.redis_url).set("a", "b")
    fleet.down()
    files = [path for path in (tmp_path / REDIS).rglob("*aof*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(b"*no Redis wrote this\r\n" * 10)
    with pytest.raises(LocalError, match="redis ended while it started") as raised:
        fleet.up(kafka=False)
    assert str(tmp_path / REDIS) in raised.value.fix


def test_a_folder_that_cannot_be_written_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LocalError, match="cannot be written") as raised:
        LocalFleet(tmp_path / "file" / "fleet").up()
    assert "--folder" in raised.value.fix
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "redis").write_text("in the way")
    with pytest.raises(LocalError, match=r"fleet/redis cannot be written"):
        LocalFleet(tmp_path / "fleet").up()


def test_a_cache_that_java_cannot_be_told_of_is_an_error_with_a_fix(tmp_path: Path, local_fleet: LocalFleet) -> None:
    assert local_fleet  # so that the jars are there
    cache = tmp_path / "a:b"
    shutil.copytree(cache_folder(os.environ) / "jars", cache / "jars")
    with pytest.raises(LocalError, match="Java cannot be told") as raised:
        LocalFleet(tmp_path / "fleet", environ={**os.environ, "VSS_CACHE": str(cache)}).up(redis=False)
    assert "VSS_CACHE" in raised.value.fix


OWNER = """
import sys, time
from pathlib import Path
from vss.local.fleet import LocalFleet
with LocalFleet(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(600)
"""


def test_a_killed_parent_leaves_no_kafka_and_no_redis_and_the_next_start_works(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    left = read_state(tmp_path)
    assert left.kafka.alive()
    assert left.redis.alive()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    # At once: what the dead one left must neither be waited for nor be taken for a fleet that stays.
    with LocalFleet(tmp_path) as fleet:
        after = read_state(tmp_path)
        assert after.kafka.process != left.kafka.process
        assert after.redis.process != left.redis.process
        assert all(server.answering for server in fleet.status())
    assert gone(left.kafka.process)
    assert gone(left.redis.process)
    assert gone(after.kafka.process)
    assert gone(after.redis.process)


def test_a_killed_parent_takes_kafka_and_redis_with_it(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    state = read_state(tmp_path)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert gone(state.kafka.process)
    assert gone(state.redis.process)
