from __future__ import annotations

import threading

from vss.workers.ingest.buffer import Buffer


def drain(buffer: Buffer[int]) -> list[int]:
    buffer.close()
    items = []
    while (taken := buffer.take()) is not None:
        items.append(taken)
    return items


def test_a_full_buffer_of_a_live_source_sheds_the_oldest() -> None:
    buffer = Buffer[int](3, shed_oldest=True)
    shed = [buffer.put(seq) for seq in range(5)]
    assert shed == [None, None, None, 0, 1]
    assert drain(buffer) == [2, 3, 4]


def test_a_full_buffer_of_a_file_makes_the_giver_wait() -> None:
    buffer = Buffer[int](2, shed_oldest=False)
    given = threading.Semaphore(0)

    def give() -> None:
        for seq in range(5):
            assert buffer.put(seq) is None
            given.release()

    giver = threading.Thread(target=give, daemon=True)
    giver.start()
    assert given.acquire(timeout=30)
    assert given.acquire(timeout=30)
    assert not given.acquire(timeout=0.1)
    taken = [buffer.take() for _ in range(5)]
    giver.join(30)
    assert taken == [0, 1, 2, 3, 4]


def test_closing_wakes_whoever_waits_and_keeps_what_is_inside() -> None:
    buffer = Buffer[int](1, shed_oldest=False)
    buffer.put(0)
    refused: list[int | None] = []
    giver = threading.Thread(target=lambda: refused.append(buffer.put(1)), daemon=True)
    giver.start()
    buffer.close()
    giver.join(30)
    assert refused == [1]
    assert drain(buffer) == [0]


def test_closing_wakes_the_taker() -> None:
    buffer = Buffer[int](1, shed_oldest=True)
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(buffer.take()), daemon=True)
    taker.start()
    buffer.close()
    taker.join(30)
    assert taken == [None]
