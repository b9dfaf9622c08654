"""The pump is one: its bearing's frequencies, its curve, its motor and its heat are what physics says they are."""

from __future__ import annotations

import io
import json
import math
from contextlib import redirect_stdout

import numpy as np
import pytest
from numpy.typing import NDArray

from vss.demo.pump import FEATURES
from vss.demo.pump.__main__ import main
from vss.demo.pump.bearing import SKF_6205
from vss.demo.pump.hydraulics import DENSITY, GRAVITY, PIPES, SYNCHRONOUS_HZ, operating_point
from vss.demo.pump.pump import Fault, Pump
from vss.demo.pump.thermal import BearingTemperature
from vss.demo.pump.vibration import RESONANCE_HZ, SAMPLE_HZ, Vibration, rms

SHAFT_HZ = 48.5
Floats = NDArray[np.float64]


def test_the_defect_frequencies_of_a_6205_are_those_that_were_published() -> None:
    # Case Western Reserve University, Bearing Data Center: multiples of the shaft's speed.
    assert SKF_6205.outer_race_hz(1.0) == pytest.approx(3.5848, abs=5e-4)
    assert SKF_6205.inner_race_hz(1.0) == pytest.approx(5.4152, abs=5e-4)
    assert SKF_6205.cage_hz(1.0) == pytest.approx(0.39828, abs=5e-5)
    assert 2 * SKF_6205.ball_hz(1.0) == pytest.approx(4.7135, abs=1e-3)


def test_a_defect_is_heard_as_blows_at_the_outer_races_frequency_in_the_housings_resonance() -> None:
    broken, well = _heard(severity=0.3), _heard(severity=0.0)
    outer_hz, inner_hz = SKF_6205.outer_race_hz(SHAFT_HZ), SKF_6205.inner_race_hz(SHAFT_HZ)
    # What the resonance carries comes and goes with the balls, and with nothing else of the bearing.
    assert _envelope_at(broken, outer_hz) > 8 * _envelope_at(well, outer_hz)
    assert _envelope_at(broken, 2 * outer_hz) > 3 * _envelope_at(well, 2 * outer_hz)
    assert _envelope_at(broken, outer_hz) > 8 * _envelope_at(broken, inner_hz)
    around = (RESONANCE_HZ - 150, RESONANCE_HZ + 150)
    assert _power(broken, *around) > 10 * _power(well, *around)
    assert _power(broken, 2500, 3000) < 2 * _power(well, 2500, 3000)


def test_without_a_defect_the_shaft_is_what_one_hears() -> None:
    well = _heard(severity=0.0)
    assert _power(well, SHAFT_HZ - 2, SHAFT_HZ + 2) > 0.5 * _power(well, 5, SAMPLE_HZ / 2)
    assert 0.7 < rms(well) < 1.4  # zone A of ISO 20816-3


def test_what_rings_at_the_end_of_a_stretch_rings_on_in_the_next() -> None:
    parts, whole = (Vibration(SKF_6205, np.random.default_rng(3)) for _ in range(2))
    in_parts = np.concatenate([parts._blows(160, SHAFT_HZ, 1.0) for _ in range(8)])
    at_once = whole._blows(1280, SHAFT_HZ, 1.0)
    np.testing.assert_allclose(in_parts, at_once, atol=1e-9)
    assert np.abs(at_once).max() > 5


def test_a_defect_grows_from_a_spall_to_a_whole_one() -> None:
    fault = Fault(10.0)
    assert fault.severity(9.99) == 0.0
    assert fault.severity(10.0) == fault.first
    assert fault.severity(10.0 + fault.doubles_s) == pytest.approx(2 * fault.first)
    assert fault.severity(1000.0) == 1.0


def test_the_pump_runs_where_its_curve_meets_the_pipes() -> None:
    point = operating_point(PIPES, SYNCHRONOUS_HZ)
    assert point.flow_m3h == pytest.approx(32.0, abs=0.5)
    assert point.head_m == pytest.approx(12.0 + PIPES * point.flow_m3h**2)
    hydraulic_w = DENSITY * GRAVITY * point.head_m * point.flow_m3h / 3600
    assert 0.65 < hydraulic_w / point.shaft_w < 0.70
    assert 47.5 < point.shaft_hz < 49.5  # an induction motor slips
    assert 8 < point.current_a < 11


def test_a_valve_that_closes_raises_the_pressure_and_lowers_flow_and_current() -> None:
    open_, closed = operating_point(PIPES, SYNCHRONOUS_HZ), operating_point(1.5 * PIPES, SYNCHRONOUS_HZ)
    assert closed.pressure_bar > open_.pressure_bar
    assert closed.flow_m3h < open_.flow_m3h
    assert closed.current_a < open_.current_a


def test_a_faster_pump_follows_the_affinity_laws_where_pipes_have_no_static_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vss.demo.pump.hydraulics._STATIC_M", 0.0)
    monkeypatch.setattr("vss.demo.pump.hydraulics._RATED_SLIP", 0.0)
    slow, fast = operating_point(PIPES, 40.0), operating_point(PIPES, 50.0)
    assert fast.flow_m3h / slow.flow_m3h == pytest.approx(1.25)
    assert fast.head_m / slow.head_m == pytest.approx(1.25**2)
    assert fast.shaft_w / slow.shaft_w == pytest.approx(1.25**3)


def test_a_bearing_warms_towards_what_its_friction_and_the_air_make_of_it() -> None:
    bearing = BearingTemperature(SKF_6205, SHAFT_HZ, 24.0)
    at_first = bearing.celsius
    assert bearing.after(1.0, SHAFT_HZ, 24.0, 0.0) == pytest.approx(at_first)
    after_480_s = [bearing.after(1.0, SHAFT_HZ, 24.0, 0.1) for _ in range(480)][-1]
    for _ in range(10_000):
        in_the_end = bearing.after(1.0, SHAFT_HZ, 24.0, 0.1)
    # One time constant, R C = 480 s, is 63 % of the way.
    assert (after_480_s - at_first) / (in_the_end - at_first) == pytest.approx(1 - math.exp(-1), abs=0.01)


def test_the_same_seed_gives_the_same_readings_and_another_one_another_day() -> None:
    def readings(seed: int) -> list[dict[str, float]]:
        pump = Pump(seed)
        return [pump.step(Fault(1.0).severity(number / 10)).values for number in range(30)]

    assert readings(4) == readings(4)
    assert readings(4) != readings(5)


def test_a_fault_changes_nothing_of_before_it() -> None:
    with_fault, without = Pump(8), Pump(8)
    for number in range(50):
        assert with_fault.step(Fault(5.0).severity(number / 10)).values == without.step().values
    later, well = with_fault.step(0.5).values, without.step().values
    assert later["vibration"] > 2 * well["vibration"]
    assert later["flow"] == well["flow"]


def test_a_day_is_printed_as_a_table_that_training_and_sensors_read() -> None:
    table = _printed("--seconds", "2", "--seed", "3")
    assert table[0] == f"time,{','.join(FEATURES)}"
    assert len(table) == 21
    assert table[1].startswith("2026-03-01T00:00:00.000000Z,")
    assert table[2].startswith("2026-03-01T00:00:00.100000Z,")
    assert _printed("--seconds", "2", "--seed", "3", "--fault-at", "1")[:11] == table[:11]
    assert _printed("--seconds", "2", "--seed", "3", "--fault-at", "1") != table


def test_what_was_before_a_second_can_be_left_out_and_the_rest_is_the_same() -> None:
    whole = _printed("--seconds", "2", "--seed", "3")
    assert _printed("--seconds", "2", "--seed", "3", "--from", "1.5") == [whole[0], *whole[16:]]


def test_a_live_pump_prints_a_json_line_a_reading() -> None:
    first, second = (json.loads(line) for line in _printed("--seconds", "0.2", "--seed", "3", "--live"))
    assert set(first) == {"ts", *FEATURES}
    assert 90 <= second["ts"] - first["ts"] <= 1000


def _printed(*arguments: str) -> list[str]:
    out = io.StringIO()
    with redirect_stdout(out):
        main(list(arguments))
    return out.getvalue().splitlines()


def _heard(severity: float) -> Floats:
    vibration = Vibration(SKF_6205, np.random.default_rng(1))
    return np.concatenate([vibration.stretch(0.1, SHAFT_HZ, 0.0, 1.0, severity) for _ in range(200)])


def _power(velocity: Floats, low_hz: float, high_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(velocity)) ** 2
    hz = np.fft.rfftfreq(len(velocity), 1 / SAMPLE_HZ)
    return float(spectrum[(hz >= low_hz) & (hz <= high_hz)].sum())


def _envelope_at(velocity: Floats, at_hz: float) -> float:
    """Envelope analysis (Randall and Antoni 2011): how much of the resonance's strength comes and goes at a rate."""
    spectrum = np.fft.fft(velocity)
    hz = np.fft.fftfreq(len(velocity), 1 / SAMPLE_HZ)
    analytic = np.fft.ifft(np.where((hz > RESONANCE_HZ - 400) & (hz < RESONANCE_HZ + 400), 2 * spectrum, 0))
    envelope = np.abs(analytic) ** 2
    strength = np.abs(np.fft.rfft(envelope - envelope.mean())) / len(envelope)
    rates = np.fft.rfftfreq(len(envelope), 1 / SAMPLE_HZ)
    return float(strength[np.abs(rates - at_hz) < 2.0].max())
