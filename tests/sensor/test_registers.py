from __future__ import annotations

import math
import struct

import pytest

from vss.workers.sensor.registers import MOST_REGISTERS, Register, blocks


def words(format: str, value: float) -> list[int]:  # noqa: A002 - struct's word
    packed = struct.pack(format, value)
    return list(struct.unpack(f">{len(packed) // 2}H", packed))


@pytest.mark.parametrize(
    ("type_", "format_", "value"),
    [
        ("int16", ">h", -2),
        ("uint16", ">H", 65_534),
        ("int32", ">i", -70_000),
        ("uint32", ">I", 4_000_000_000),
        ("int64", ">q", -(1 << 40)),
        ("uint64", ">Q", 1 << 40),
        ("float32", ">f", -1.5),
        ("float64", ">d", 1e-9),
    ],
)
def test_every_type_in_both_word_orders(type_: str, format_: str, value: float) -> None:
    big = words(format_, value)
    register = Register.model_validate({"name": "x", "address": 0, "type": type_})
    assert register.count == len(big)
    assert register.value(big) == value
    little = Register.model_validate({"name": "x", "address": 0, "type": type_, "word_order": "little"})
    assert little.value(big[::-1]) == value


def test_scale_comes_before_offset() -> None:
    assert Register(name="t", address=0, scale=0.1, offset=-40).value([650]) == pytest.approx(25)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_none(value: float) -> None:
    assert Register(name="x", address=0, type="float32").value(words(">f", value)) is None


def made(*registers: tuple[str, int, str]) -> list[tuple[str, int, int]]:
    listed = [
        Register.model_validate({"name": f"{kind}{address}", "address": address, "type": type_, "kind": kind})
        for kind, address, type_ in registers
    ]
    return [(block.kind, block.address, block.count) for block in blocks(listed)]


def test_what_lies_side_by_side_is_read_at_once() -> None:
    assert made(("holding", 2, "int16"), ("holding", 0, "float32"), ("holding", 4, "int16"), ("input", 3, "int16")) == [
        ("holding", 0, 3),
        ("holding", 4, 1),
        ("input", 3, 1),
    ]


def test_registers_may_overlap() -> None:
    assert made(("holding", 0, "int64"), ("holding", 1, "int16"), ("holding", 4, "int16")) == [("holding", 0, 5)]


def test_no_read_is_larger_than_the_protocol_allows() -> None:
    found = made(*(("holding", address, "float32") for address in range(0, 400, 2)))
    assert all(count <= MOST_REGISTERS for _, _, count in found)
    assert sum(count for _, _, count in found) == 400
