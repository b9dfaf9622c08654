"""Which versions of a model are in use, for whoever lists models or wants to remove one."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable
from vss.streams.activation_log import read_activations
from vss.streams.activation_state import ActivationState

_KNOCK_S = 0.5


def versions_in_use(state: ActivationState | None) -> frozenset[str]:
    """Versions that serve, or that a worker goes back to by itself; none where nothing was ever activated."""
    if state is None:
        return frozenset()
    found = {state.serving}
    activation = state.activation
    if state.is_canary:
        found.add(activation.version)
    if activation.limits is not None and not state.given_up:
        found.add(activation.stable)
    return frozenset(version for version in found if version is not None)


def states_now(settings: KafkaSettings, *, patience_s: float) -> Mapping[str, ActivationState]:
    """What is active, from a broker that answers quickly.

    Args:
        settings: The cluster.
        patience_s: How long a broker that took the connection may take with each answer.

    Raises:
        BrokerUnavailable: None does.
        ConfigError: The topics are missing, or may not be read.
    """
    # A client of Kafka tells a closed port from a slow broker only when its whole patience is over.
    if not any(_opens(server.strip()) for server in settings.bootstrap_servers.split(",")):
        raise BrokerUnavailable(f"no broker answers at {settings.bootstrap_servers}", fix="start it: vss up")
    return read_activations(settings, patience_s=patience_s)


def _opens(server: str) -> bool:
    host, _, port = server.rpartition("://")[2].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S):
            return True
    except (OSError, ValueError):
        return False
