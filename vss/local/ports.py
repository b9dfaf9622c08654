"""Free ports on the loopback interface."""

from __future__ import annotations

import random
import socket

from vss.errors import LocalError

# Below what Linux (32768) and macOS (49152) hand to outgoing connections. A client that tries again and again to reach
# a broker that is down could otherwise be given the broker's own port as its source, connect to itself and hold it.
FIRST_PORT = 15_000
LAST_PORT = 32_000
ATTEMPTS = 200


def listens(port: int) -> bool:
    """Whether some program accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    if listens(port):  # Linux would notice below, but macOS lets two share it
        return False
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still winding down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int, rng: random.Random, *, wanted: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Free ports, the wanted ones where they are free.

    Args:
        count: How many.
        rng: Where new ones come from; two fleets that start at once must not draw the same.
        wanted: The ports of last time, or none.

    Raises:
        LocalError: None was found free.
    """
    ports: list[int] = []
    for index in range(count):
        candidates = [*wanted[index : index + 1], *(rng.randint(FIRST_PORT, LAST_PORT) for _ in range(ATTEMPTS))]
        found = next((port for port in candidates if port not in ports and is_free(port)), None)
        if found is None:
            raise LocalError(
                f"no free port between {FIRST_PORT} and {LAST_PORT} on 127.0.0.1",
                fix="stop programs that listen there",
            )
        ports.append(found)
    return tuple(ports)
