"""A real Modbus TCP server, pymodbus's own, on a thread."""

from __future__ import annotations

import asyncio
import random
import threading
from types import TracebackType

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from vss.local.ports import free_ports


class ModbusServer:
    """Holds what `holding` and `input` say, for unit 1; the same port after every restart.

    Attributes:
        exceptions: Address of a read → the exception it is answered by.
        reads: Address and count of every read that was asked for.
    """

    def __init__(self, data: list[SimData]) -> None:
        self.port = free_ports(1, random.Random())[0]
        self.exceptions: dict[int, ExcCodes] = {}
        self.reads: list[tuple[int, int]] = []
        self._data = data
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: ModbusTcpServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)), daemon=True)
        self._thread.start()
        assert listening.wait(20)

    async def _serve(self, listening: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = ModbusTcpServer(
            SimDevice(id=1, simdata=self._data, action=self._answer), address=("127.0.0.1", self.port)
        )
        await self._server.serve_forever(background=True)
        listening.set()
        await self._server.serving

    async def _answer(
        self, function: int, start: int, address: int, count: int, registers: list[int], values: object
    ) -> ExcCodes | None:
        self.reads.append((address, count))
        return self.exceptions.get(address)

    def stop(self) -> None:
        if self._thread is not None and self._loop is not None and self._server is not None:
            shutdown = self._server.shutdown()  # type: ignore[no-untyped-call]
            asyncio.run_coroutine_threadsafe(shutdown, self._loop).result(20)
            self._thread.join(20)
            self._thread = None

    def __enter__(self) -> ModbusServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def registers(address: int, *words: int) -> SimData:
    return SimData(address, values=list(words), datatype=DataType.REGISTERS)
