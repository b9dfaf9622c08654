"""Registers of a Modbus device: which hold what, and how they are read."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# Modbus Application Protocol 1.1b3, 6.3: a read holds at most this many registers.
MOST_REGISTERS = 125
_FORMATS = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}


class Register(BaseModel):
    """One value of a device; the fields are the keys of a `[[sensor.registers]]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=200, description="The feature.")
    address: int = Field(ge=0, le=65535, description="Of its first register, counted from 0.")
    type: Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"] = Field(
        "int16", description="What it holds; 32 bits are two registers, 64 four."
    )
    kind: Literal["holding", "input"] = Field("holding", description="Holding (function 3) or input (function 4).")
    word_order: Literal["big", "little"] = Field("big", description="Whether the first register holds the high word.")
    scale: float = Field(1.0, description="The value is what is read times this, plus `offset`.")
    offset: float = Field(0.0, description="See `scale`.")

    @property
    def count(self) -> int:
        """Registers it takes."""
        return struct.calcsize(_FORMATS[self.type]) // 2

    def value(self, words: Sequence[int]) -> float | None:
        """The value of its registers; None where they hold NaN or infinity.

        Args:
            words: `count` integers, 0..65535.
        """
        ordered = words if self.word_order == "big" else list(reversed(words))
        (raw,) = struct.unpack(_FORMATS[self.type], struct.pack(f">{len(ordered)}H", *ordered))
        value = raw * self.scale + self.offset
        return float(value) if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that lie beside each other, read at once.

    Attributes:
        registers: By address.
    """

    kind: str
    address: int
    count: int
    registers: tuple[Register, ...]


def blocks(registers: Sequence[Register]) -> list[Block]:
    """Puts registers together that lie beside each other, up to what one read may hold."""
    made: list[Block] = []
    ordered = sorted(registers, key=lambda register: (register.kind, register.address))
    for kind, members in groupby(ordered, key=lambda register: register.kind):
        run: list[Register] = []
        for register in members:
            end = max((one.address + one.count for one in run), default=register.address)
            if run and (register.address > end or register.address + register.count - run[0].address > MOST_REGISTERS):
                made.append(_block(kind, run))
                run = []
            run.append(register)
        made.append(_block(kind, run))
    return made


def _block(kind: str, run: Sequence[Register]) -> Block:
    first = run[0].address
    return Block(kind, first, max(one.address + one.count for one in run) - first, tuple(run))
