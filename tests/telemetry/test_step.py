"""From readings to outcomes, one promise a test; the loop, the windows and the events are the real ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.telemetry.numpy_server import NumpyServer, anomaly_spec
from tests.telemetry.small_fleet import READINGS, SmallFleet
from vss.config import Settings, WindowSettings
from vss.errors import InferenceFailed, InferenceTimedOut, StoreUnavailable
from vss.schemas.envelope import Message
from vss.testing import make_bad_readings, make_reading
from vss.testing.readings import START_MS

BAD = make_bad_readings("pump-1")


def with_windows(**changes: object) -> SmallFleet:
    return SmallFleet(Settings(windows=WindowSettings.model_validate(changes)))


def readings(count: int, sensor: str = "pump-1", first: int = 0) -> list[Message]:
    return [make_reading(sensor, seq) for seq in range(first, first + count)]


def test_a_reading_that_fills_a_window_has_an_event_and_the_others_are_taken() -> None:
    fleet = SmallFleet()
    fleet.produce(*readings(6))
    with fleet.worker() as worker:
        worker.turns()
        assert fleet.sources() == [3, 4, 5]
        assert [event["window"]["first_offset"] for event in fleet.events()] == [0, 1, 2]
        assert worker.value("vss_outcomes_total", step="anomaly", kind="taken") == 3
        assert worker.value("vss_outcomes_total", step="anomaly", kind="event") == 3
        assert worker.value("vss_frame_age_seconds_count", step="anomaly") == 3
    commit = fleet.commit()
    assert commit is not None
    assert commit.offset == 6


def test_what_is_unlike_the_window_before_it_is_an_anomaly() -> None:
    fleet = SmallFleet()
    fleet.produce(*readings(5), make_reading("pump-1", 5, values={"pressure": 9.0, "flow": 30.0}))
    with fleet.worker() as worker:
        worker.turns()
    assert [event["is_anomaly"] for event in fleet.events()] == [False, False, True]
    assert fleet.events()[2]["affected_features"][0]["feature"] == "pressure"


@pytest.mark.parametrize(("max_batch", "calls"), [(1, 6), (3, 2), (16, 1)])
def test_the_windows_of_many_sensors_are_looked_at_in_one_call_a_batch(max_batch: int, calls: int) -> None:
    fleet = SmallFleet()
    fleet.produce(*(make_reading(f"pump-{sensor}", seq) for seq in range(5) for sensor in range(3)))
    with fleet.worker(max_batch=max_batch) as worker:
        worker.turns(30)
        assert len(worker.server.asked) == calls
        asked = np.concatenate([windows for windows, _, _ in worker.server.asked])
        keys = [key for _, some, _ in worker.server.asked for key in some]
    assert keys == [b"pump-0", b"pump-1", b"pump-2"] * 2
    assert asked[0, :, 0].tolist() == pytest.approx([1.0, 1.01, 1.02, 1.03])
    assert asked[3, :, 0].tolist() == pytest.approx([1.01, 1.02, 1.03, 1.04])


def test_late_and_repeated_readings_are_left_out_with_a_note() -> None:
    fleet = with_windows(lateness_ms=2000)
    seqs = [0, 1, 2, 2, 7, 4, 6]
    fleet.produce(BAD["no JSON"][0], *(make_reading("pump-1", seq) for seq in seqs))
    with fleet.worker(max_batch=16) as worker:
        worker.turns()
        assert worker.value("vss_shed_total", step="anomaly", reason="late") == 1
        assert worker.value("vss_shed_total", step="anomaly", reason="duplicate") == 1
    assert [(note.source.offset, note.reason, note.key, note.group) for note in fleet.notes()] == [
        (4, "duplicate", "pump-1", "vss.anomaly"),
        (6, "late", "pump-1", "vss.anomaly"),
    ]
    assert fleet.sources() == [5]


@pytest.mark.parametrize("what", BAD)
def test_a_bad_reading_is_a_dead_letter_and_its_neighbours_live(what: str) -> None:
    bad, error = BAD[what]
    fleet = SmallFleet()
    good = readings(5)
    fleet.produce(*good[:2], bad, *good[2:])
    with fleet.worker(max_batch=16) as worker:
        worker.turns()
    [letter] = fleet.letters()
    assert (letter.error, letter.source.offset, letter.stage) == (error, 2, "anomaly")
    assert len(letter.message) > 15, "a reason that says nothing"
    assert fleet.sources() == [4, 5]
    assert fleet.events()[0]["window"]["first_offset"] == 0


def test_all_bad_readings_in_one_batch_harm_no_neighbour() -> None:
    fleet = SmallFleet()
    good = iter(readings(len(BAD) + 1))
    for bad, _ in BAD.values():
        fleet.produce(next(good), bad)
    fleet.produce(next(good))
    with fleet.worker(max_batch=100) as worker:
        worker.turns()
    assert sorted(letter.error for letter in fleet.letters()) == sorted(error for _, error in BAD.values())
    assert len(fleet.events()) == len(BAD) + 1 - 3


def test_what_is_missing_never_counts_as_a_zero() -> None:
    fleet = SmallFleet()
    odd = b'{"sensor_id": "pump-1", "ts": %d, "values": {"pressure": NaN, "flow": 31.0, "other": 5}}' % (
        START_MS + 2000
    )
    fleet.produce(
        make_reading("pump-1", 0, values={"pressure": 2.0}),
        make_reading("pump-1", 1, values={}),
        Message(READINGS.topic, b"pump-1", odd),
        make_reading("pump-1", 3, values={"pressure": None, "flow": 32.0}),
    )
    with fleet.worker() as worker:
        worker.turns()
        windows, _, _ = worker.server.asked[0]
    assert np.isnan(windows[0]).sum() == 5
    assert not (windows == 0).any()
    assert fleet.events()[0]["window"]["imputed"] == 5


def test_a_sensor_that_is_not_expected_is_a_dead_letter() -> None:
    fleet = with_windows(sensors=("pump-*",))
    fleet.produce(*readings(4), make_reading("spy", 0), make_reading("pump-1", 4))
    with fleet.worker() as worker:
        worker.turns()
    [letter] = fleet.letters()
    assert (letter.error, letter.source.offset) == ("UnknownSensor", 4)
    assert "'spy'" in letter.message
    assert fleet.sources() == [3, 5]


def test_one_sensor_more_than_may_be_held_is_a_dead_letter() -> None:
    fleet = with_windows(max_keys=1)
    fleet.produce(*readings(4), make_reading("pump-2", 0), make_reading("pump-1", 4))
    with fleet.worker() as worker:
        worker.turns()
    assert [(letter.error, letter.source.offset) for letter in fleet.letters()] == [("TooManySensors", 4)]
    assert fleet.sources() == [3, 5]


def test_what_fails_is_tried_again_with_the_same_window_and_taken_in_once() -> None:
    fleet = SmallFleet()
    fleet.produce(*readings(8))
    server = NumpyServer(anomaly_spec(), errors=[InferenceFailed("this once")])
    with fleet.worker(server, max_batch=8) as worker:
        worker.turns()
    assert fleet.sources() == [3, 4, 5, 6, 7]
    assert not fleet.notes()
    first = [windows for windows, _, _ in server.asked]
    assert np.concatenate(first[1:]).tolist() == first[0].tolist()


def test_a_window_that_fails_alone_is_tried_again_alone() -> None:
    fleet = SmallFleet()
    fleet.produce(*readings(8))
    server = NumpyServer(anomaly_spec(), failing={1: InferenceFailed("no number")})
    with fleet.worker(server, max_batch=8) as worker:
        worker.turns()
    assert [len(windows) for windows, _, _ in server.asked] == [5, 1]
    assert fleet.sources() == [3, 4, 5, 6, 7]
    assert [event["window"]["first_offset"] for event in fleet.events()] == [0, 1, 2, 3, 4]


def test_a_window_that_takes_too_long_is_a_dead_letter_and_later_windows_hold_its_reading() -> None:
    fleet = SmallFleet()
    fleet.produce(*readings(6))
    server = NumpyServer(anomaly_spec(), failing={0: InferenceTimedOut("too long")})
    with fleet.worker(server, max_batch=8) as worker:
        worker.turns()
    assert [(letter.error, letter.source.offset) for letter in fleet.letters()] == [("InferenceTimedOut", 3)]
    assert fleet.sources() == [4, 5]
    assert [event["window"]["first_offset"] for event in fleet.events()] == [1, 2]


def test_while_the_store_is_away_windows_wait_and_none_is_lost() -> None:
    fleet = SmallFleet()
    fleet.produce(*readings(6))
    server = NumpyServer(anomaly_spec(), errors=[StoreUnavailable("away"), StoreUnavailable("away")])
    with fleet.worker(server, max_batch=8) as worker:
        worker.turns()
    assert fleet.sources() == [3, 4, 5]
    assert not fleet.notes()
    assert not fleet.letters()


def test_a_server_that_raises_at_once_does_not_take_readings_in_twice() -> None:
    fleet = SmallFleet()
    fleet.produce(*readings(6))
    server = NumpyServer(anomaly_spec())
    submit, fail = server.submit_windows, [RuntimeError("a bug")]

    def raises(*arguments: object) -> object:
        if fail:
            raise fail.pop()
        return submit(*arguments)  # type: ignore[arg-type]

    server.submit_windows = raises  # type: ignore[method-assign, assignment]
    with fleet.worker(server, max_batch=8) as worker:
        worker.turns()
    assert fleet.sources() == [3, 4, 5]
    assert not fleet.notes()


def test_a_header_names_the_model_of_a_window() -> None:
    fleet = SmallFleet()
    fleet.produce(
        *readings(4),
        make_reading("pump-1", 4, headers=(("vss_model", b"other"),)),
        make_reading("pump-1", 5, headers=(("vss_model", b"\xff"),)),
        make_reading("pump-1", 6, headers=(("traceparent", b"x"),)),
    )
    with fleet.worker(max_batch=8) as worker:
        worker.turns()
        assert worker.server.asked[0][2] == [None, "other", None]
    assert {event["source"]["offset"]: event["model_name"] for event in fleet.events()} == {
        3: "pump",
        4: "other",
        6: "pump",
    }
    assert [(letter.error, letter.source.offset) for letter in fleet.letters()] == [("BadHeader", 5)]


def test_batches_are_settled_in_order_and_wait_for_their_windows() -> None:
    fleet = SmallFleet()
    fleet.produce(*readings(12))
    server = NumpyServer(anomaly_spec(), held=True)
    with fleet.worker(server) as worker:
        worker.turns(3)
        assert not fleet.events()
        assert fleet.commit() is None
        server.release()
        server.held = False
        worker.turns()
        assert fleet.sources() == list(range(3, 12))


@pytest.mark.parametrize("crashes", [False, True], ids=["leaves", "crashes"])
def test_the_next_owner_goes_on_with_the_same_windows_and_counts_no_reading_twice(crashes: bool) -> None:
    fleet = SmallFleet()
    fleet.produce(*readings(6))
    with fleet.worker(crashes=crashes) as worker:
        worker.turns()
    before = fleet.events()
    fleet.produce(*readings(3, first=6))
    with fleet.worker() as worker:
        worker.turns()
        assert worker.value("vss_window_rebuilt_readings_total", step="anomaly") == 4
        assert worker.value("vss_window_readings_total", step="anomaly", status="due") == 3
        assert worker.value("vss_outcomes_total", step="anomaly", kind="event") == 3
    assert fleet.sources() == [3, 4, 5, 6, 7, 8]
    assert fleet.events()[: len(before)] == before
    assert [event["window"]["first_offset"] for event in fleet.events()] == [0, 1, 2, 3, 4, 5]
    assert not fleet.notes()
    assert not fleet.letters()


def test_bad_readings_that_are_read_again_to_rebuild_have_no_second_dead_letter() -> None:
    fleet = SmallFleet()
    good = readings(8)
    bad = BAD["no JSON"][0]
    fleet.produce(*good[:3], bad, *good[3:5])
    with fleet.worker() as worker:
        worker.turns()
    fleet.produce(*good[5:])
    with fleet.worker() as worker:
        worker.turns()
    assert len(fleet.letters()) == 1
    assert fleet.sources() == [4, 5, 6, 7, 8]


def test_a_worker_that_stops_lets_go_of_what_it_had_under_way() -> None:
    fleet = SmallFleet()
    fleet.produce(*readings(4))
    server = NumpyServer(anomaly_spec(), held=True)
    with fleet.worker(server) as worker:
        worker.turns(2)
    assert server.closed
    assert server._waiting[0][0].cancelled()
