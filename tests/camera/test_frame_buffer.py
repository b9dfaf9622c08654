from __future__ import annotations

import threading

from tests.camera.clips import jpeg_of
from vss.workers.camera.frame_buffer import CapturedFrame, FrameBuffer
from vss.workers.camera.picture import EncodedPicture


def frame(seq: int) -> CapturedFrame:
    return CapturedFrame(seq, 0, 0, EncodedPicture(jpeg_of(seq)))


def drain(buffer: FrameBuffer) -> list[int]:
    buffer.close()
    seqs = []
    while (taken := buffer.take()) is not None:
        seqs.append(taken.seq)
    return seqs


def test_a_full_buffer_of_a_live_source_sheds_the_oldest() -> None:
    buffer = FrameBuffer(3, shed_oldest=True)
    shed = [buffer.put(frame(seq)) for seq in range(5)]
    assert [gone.seq if gone is not None else None for gone in shed] == [None, None, None, 0, 1]
    assert drain(buffer) == [2, 3, 4]


def test_a_full_buffer_of_a_file_makes_the_giver_wait() -> None:
    buffer = FrameBuffer(2, shed_oldest=False)
    given = threading.Semaphore(0)

    def give() -> None:
        for seq in range(5):
            assert buffer.put(frame(seq)) is None
            given.release()

    giver = threading.Thread(target=give, daemon=True)
    giver.start()
    assert given.acquire(timeout=30)
    assert given.acquire(timeout=30)
    assert not given.acquire(timeout=0.1)
    taken = [buffer.take() for _ in range(5)]
    giver.join(30)
    assert [one.seq for one in taken if one is not None] == [0, 1, 2, 3, 4]


def test_closing_wakes_whoever_waits_and_keeps_what_is_inside() -> None:
    buffer = FrameBuffer(1, shed_oldest=False)
    buffer.put(frame(0))
    refused: list[CapturedFrame | None] = []
    giver = threading.Thread(target=lambda: refused.append(buffer.put(frame(1))), daemon=True)
    giver.start()
    buffer.close()
    giver.join(30)
    assert [one.seq for one in refused if one is not None] == [1]
    assert drain(buffer) == [0]


def test_closing_wakes_the_taker() -> None:
    buffer = FrameBuffer(1, shed_oldest=True)
    taken: list[CapturedFrame | None] = []
    taker = threading.Thread(target=lambda: taken.append(buffer.take()), daemon=True)
    taker.start()
    buffer.close()
    taker.join(30)
    assert taken == [None]
