from __future__ import annotations

import pytest

from vss.errors import SourceUnavailable
from vss.workers.camera.device import Device


def test_a_device_that_is_not_plugged_in_may_come_back() -> None:
    device = Device("/dev/video97", timeout_s=2)
    assert device.live
    with pytest.raises(SourceUnavailable, match="/dev/video97: No such file") as caught:
        device.open()
    assert "plug" in caught.value.fix
