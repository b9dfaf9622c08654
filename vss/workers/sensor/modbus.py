"""Readings of a device that speaks Modbus TCP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vss.clock import Clock
from vss.errors import SourceUnavailable
from vss.workers.sensor.registers import Block, Register, blocks
from vss.workers.sensor.sample import Batch, Sample

if TYPE_CHECKING:
    from pymodbus.client import ModbusTcpClient

# How long a wait for the next poll may last before the reader may look up.
_WAIT_S = 0.2
# Modbus Application Protocol 1.1b3, 7.
_EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not respond",
}


@dataclass(frozen=True, slots=True)
class Modbus:
    """See `vss.workers.ingest.source.Source`.

    Attributes:
        host: Of the device or gateway.
        port: Of the device or gateway.
        unit: Address of the device behind it.
        registers: What to read.
        period_ms: Between two polls.
        sensor_id: Whose readings they are.
        clock: Paces the polls and tells their time.
        on_exception: Told of every answer that is an exception: the registers, and what it says.
        timeout_s: For the connection and for an answer.
    """

    host: str
    port: int
    unit: int
    registers: tuple[Register, ...]
    period_ms: float
    sensor_id: str
    clock: Clock
    on_exception: Callable[[str, str], None] = field(repr=False)
    timeout_s: float = 10.0

    @property
    def name(self) -> str:
        """The address."""
        return f"modbus://{self.host}:{self.port}/{self.unit}"

    @property
    def live(self) -> bool:
        """Sensors do not wait."""
        return True

    def open(self) -> _ModbusStream:
        """See `Source.open`."""
        return _ModbusStream(self)


class _ModbusStream:
    """Polls at a steady beat; a beat that is missed is left out, not made up for."""

    def __init__(self, source: Modbus) -> None:
        from pymodbus.client import ModbusTcpClient

        # What it would print on the terminal is said by the errors we raise.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        self._source = source
        self._blocks = blocks(source.registers)
        self._never = threading.Event()
        self._client: ModbusTcpClient = ModbusTcpClient(
            source.host, port=source.port, timeout=source.timeout_s, retries=0, reconnect_delay=0
        )
        if not self._client.connect():  # type: ignore[no-untyped-call]
            self._client.close()  # type: ignore[no-untyped-call]
            raise self._unavailable("no connection")
        self._due_s = source.clock.monotonic()

    def read(self) -> Batch:
        """See `Stream.read`; empty while the next poll is not due."""
        clock, period_s = self._source.clock, self._source.period_ms / 1000
        early_s = self._due_s - clock.monotonic()
        if early_s > _WAIT_S:
            clock.wait(self._never, _WAIT_S)
            return ()
        if early_s > 0:
            clock.wait(self._never, early_s)
        sample = self._poll()
        missed = int(max(0.0, clock.monotonic() - self._due_s) / period_s)
        self._due_s += period_s * (1 + missed)
        return (sample,)

    def close(self) -> None:
        """See `Stream.close`."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _poll(self) -> Sample:
        ts_ms = self._source.clock.now_ns() // 1_000_000
        values: dict[str, float | None] = {}
        excuses = []
        for block in self._blocks:
            words, why = self._read(block)
            if words is None:
                excuses.append(why)
                self._source.on_exception(f"{block.kind} {block.address}", why)
            for register in block.registers:
                start = register.address - block.address
                values[register.name] = register.value(words[start : start + register.count]) if words else None
        if len(excuses) == len(self._blocks):
            raise self._unavailable(f"it answers: {excuses[0]}")
        # In the order in which they were asked for.
        return Sample(self._source.sensor_id, ts_ms, {one.name: values[one.name] for one in self._source.registers})

    def _read(self, block: Block) -> tuple[list[int] | None, str]:
        """The registers of a block, or None and the exception that the device answers."""
        from pymodbus.exceptions import ModbusException

        ask = self._client.read_holding_registers if block.kind == "holding" else self._client.read_input_registers
        try:
            answer = ask(block.address, count=block.count, device_id=self._source.unit)
        except (ModbusException, OSError) as error:
            raise self._unavailable(_without_prefix(str(error))) from None
        if answer.isError():
            code = answer.exception_code
            return None, _EXCEPTIONS.get(code, f"exception {code}")
        if len(answer.registers) != block.count:
            raise self._unavailable(f"{len(answer.registers)} registers, where {block.count} were asked for")
        return list(answer.registers), ""

    def _unavailable(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(f"{self._source.name}: {why}", fix="check the device's address, unit and registers")


def _without_prefix(text: str) -> str:
    """Pymodbus begins its messages with `Modbus Error: [Input/Output] `."""
    return text.rpartition("] ")[2] or text
