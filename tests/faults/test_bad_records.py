"""What cannot be processed is a dead letter with its reason, as it came, and its neighbours do not notice."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from tests.faults.rig import Rig
from tests.streams.contract.world import read_committed
from vss.schemas.envelope import Headers, Message
from vss.streams.dead_letters import PREFIX, reason_of
from vss.testing import make_bomb, make_frame

EXTRA: Headers = (("x-trace", b"\x00\xff"), ("x-trace", b"again"), ("x-null", None), ("vss_unknown", b"1"))


@dataclass(frozen=True)
class Bad:
    """A record, and the class of the error that it must end with."""

    error: str
    key: bytes | None
    value: bytes | None
    headers: Headers


def bad_records(topic: str) -> dict[str, Bad]:
    good = make_frame("camera-0", topic=topic, seq=0)
    jpeg = good.value or b""
    headers = tuple((name, value) for name, value in good.headers if name not in ("datacontenttype", "content-type"))
    garbage = random.Random(1).randbytes(10 << 20)

    def replaced(name: str, value: bytes) -> Headers:
        return tuple((n, value if n == name else v) for n, v in good.headers)

    return {
        "a truncated JPEG": Bad("UndecodableImage", b"camera-0", jpeg[: len(jpeg) // 2], good.headers + EXTRA),
        "no value": Bad("EmptyValue", b"camera-0", None, good.headers + EXTRA),
        "an empty value": Bad("EmptyValue", b"camera-0", b"", good.headers + EXTRA),
        "100 megapixels": Bad("ImageTooLarge", b"camera-0", make_bomb(10_000, 10_000), good.headers + EXTRA),
        "a wrong content type": Bad(
            "UnsupportedContentType", b"camera-0", jpeg, (*headers, ("datacontenttype", b"image/png"), *EXTRA)
        ),
        "an unknown content type": Bad(
            "UnsupportedContentType", b"camera-0", jpeg, (*headers, ("datacontenttype", b"text/html"), *EXTRA)
        ),
        "no key": Bad("MissingKey", None, jpeg, good.headers + EXTRA),
        "a key that is no text": Bad("MissingKey", b"\xff\xfe", jpeg, good.headers + EXTRA),
        "a header that is no number": Bad("BadHeader", b"camera-0", jpeg, replaced("vss_seq", b"seven") + EXTRA),
        "a header that is no time": Bad("BadHeader", b"camera-0", jpeg, replaced("ce_time", b"yesterday") + EXTRA),
        "10 MB of garbage": Bad("RecordTooLarge", b"camera-0", garbage, EXTRA),
        "a little garbage": Bad("UndecodableImage", b"camera-0", garbage[:5000], EXTRA),
    }


@pytest.fixture
def rig(make_rig: Callable[..., Rig], tiny_detector: Path) -> Rig:
    return make_rig(model=tiny_detector, max_batch=32)


def test_bad_records_become_dead_letters_as_they_came_and_their_neighbours_events(rig: Rig) -> None:
    """One worker gets everything in few batches: good frames before, between and behind the bad ones."""
    bad = bad_records(rig.frames)
    messages = [make_frame("camera-0", topic=rig.frames, seq=0)]
    for i, record in enumerate(bad.values()):
        messages.append(Message(rig.frames, record.key, record.value, record.headers))
        messages.append(make_frame("camera-0", topic=rig.frames, seq=i + 1))
    rig.publish(messages)
    worker = rig.start_worker()
    rig.wait_working()
    events = rig.exactly_once(len(messages))
    assert len(events) == len(bad) + 1, "a neighbour was harmed"
    letters = read_committed(rig.bootstrap_servers, rig.letters)
    found = {}
    for letter in letters:
        original = tuple((name, value) for name, value in letter.headers if not name.startswith(PREFIX))
        reason = reason_of(letter)
        found[letter.key, letter.value, original] = reason.error
        assert reason.message
        assert reason.group == rig.group
        assert reason.stage == "detect"
    assert found == {(record.key, record.value, record.headers): record.error for record in bad.values()}
    # It goes on, and still stops as it should.
    rig.publish([make_frame("camera-0", topic=rig.frames, seq=99)])
    rig.wait_working()
    assert worker.poll() is None
    assert rig.stop(worker) == 0
    assert len(rig.exactly_once(len(messages) + 1)) == len(bad) + 2


def test_unknown_headers_harm_nothing_and_a_plain_image_with_a_key_is_served(rig: Rig) -> None:
    frame = make_frame("camera-0", topic=rig.frames, seq=0)
    plain = Message(rig.frames, b"phone", frame.value)
    strange = Message(rig.frames, b"camera-0", frame.value, frame.headers + EXTRA)
    rig.publish([plain, strange])
    rig.start_worker()
    rig.wait_working()
    events = [orjson.loads(event.value or b"") for event in rig.exactly_once(2)]
    assert {event["camera_id"] for event in events} == {"phone", "camera-0"}
    assert all((event["width"], event["height"]) == (320, 240) for event in events)


def test_a_dead_letter_can_be_published_again_and_dies_again_with_the_newest_reason(rig: Rig) -> None:
    frame = make_frame("camera-0", topic=rig.frames, seq=0)
    rig.publish([Message(rig.frames, b"camera-0", b"garbage", frame.headers)])
    rig.start_worker()
    rig.wait_working()
    (letter,) = read_committed(rig.bootstrap_servers, rig.letters)
    rig.publish([Message(rig.frames, letter.key, letter.value, letter.headers)])
    rig.wait_working()
    rig.exactly_once(2)
    first, second = read_committed(rig.bootstrap_servers, rig.letters)
    assert [reason_of(each).source.offset for each in (first, second)] == [0, 1]
    assert [name for name, _ in first.headers] == [name for name, _ in second.headers]
