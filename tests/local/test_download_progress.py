"""What is shown while Kafka is fetched."""

from __future__ import annotations

import io

from vss.local.download_progress import download_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_bar() -> None:
    out = Terminal()
    with download_progress("Kafka 4.3.0: 46 files", 45_000_000, out) as advance:
        advance(20_000_000)
        advance(25_000_000)
    assert "Kafka 4.3.0: 46 files" in out.getvalue()
    assert "45.0/45.0 MB" in out.getvalue()
    assert "━" in out.getvalue()


def test_a_log_sees_five_lines_however_many_pieces_there_are() -> None:
    out = io.StringIO()
    with download_progress("Kafka", 4_000_000, out) as advance:
        for _ in range(4000):
            advance(1000)
    assert [line.split(", ")[1] for line in out.getvalue().splitlines()] == [
        f"{done} of 4 MB" for done in (0, 1, 2, 3, 4)
    ]


def test_what_is_fetched_again_is_not_counted_twice() -> None:
    out = io.StringIO()
    with download_progress("Kafka", 4_000_000, out) as advance:
        advance(2_000_000)
        advance(-2_000_000)
        advance(1_000_000)
        advance(2_000_000)
    assert out.getvalue().splitlines()[-1] == "fetching Kafka, 3 of 4 MB"
