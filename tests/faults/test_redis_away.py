"""Redis away: detection does not notice, the view lags and catches up by itself."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import orjson
import redis

from tests.faults.rig import VSS, Rig
from tests.streams.contract.world import wait_until
from vss.local.fleet import LocalFleet


def test_detection_goes_on_without_redis_and_the_view_catches_up(
    make_rig: Callable[..., Rig], tiny_detector: Path, own_fleet: LocalFleet, tmp_path: Path
) -> None:
    rig = make_rig(own_fleet.addresses.bootstrap_servers, model=tiny_detector)
    url = own_fleet.addresses.redis_url
    with (tmp_path / "cache.log").open("wb") as log:
        cache = subprocess.Popen(
            [VSS, "worker", "cache", "--bootstrap-servers", rig.bootstrap_servers, "--redis-url", url],
            env={**os.environ, "VSS_KAFKA__TOPIC_PREFIX": rig.prefix},
            stdout=log,
            stderr=log,
        )
    try:
        rig.start_worker()

        def in_view(seq: int) -> bool:
            client = redis.Redis.from_url(url)
            try:
                value = client.hget(f"vss:latest:{rig.events}:camera-0", "value")
            except redis.ConnectionError:
                return False
            finally:
                client.close()
            return isinstance(value, bytes) and orjson.loads(value)["seq"] == seq

        rig.publish([rig.frame(seq, "camera-0") for seq in range(5)])
        rig.wait_working()
        wait_until(lambda: in_view(4))
        own_fleet.kill_redis()
        rig.publish([rig.frame(seq, "camera-0") for seq in range(5, 60)])
        rig.wait_working()
        assert len(rig.exactly_once(60)) == 60
        assert cache.poll() is None, "a view without Redis waits"
        own_fleet.restart_redis()
        wait_until(lambda: in_view(59))
        cache.send_signal(signal.SIGTERM)
        assert cache.wait(10) == 0
    finally:
        cache.kill()
        cache.wait()
