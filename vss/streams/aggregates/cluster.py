"""Our settings in faust's words: librdkafka's properties for TLS and SASL, and readers that see what is committed.

And that skip nothing: faust reads on while it goes back to the committed offsets at the end of a rebalance, and then
clears its queues (faust-streaming's issue 596). What stood in them was lost.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, cast

import faust
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

from vss.config import KafkaSettings
from vss.errors import ConfigError

# From one try to go back to the committed offsets to the next.
_AGAIN_S: Final = 0.1
_UNDERSTOOD: Final = {
    "security.protocol",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
}


class _CommittedThread(AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # faust asks for this only with transactions of its own, and events of an aborted one must not be counted.
        consumer._isolation_level = "read_committed"
        return consumer


class _CommittedConsumer(Consumer):
    """Goes back to the committed offsets with nothing under way, and throws away what was fetched meanwhile."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seeks = 0
        self._overtaken = False

    async def perform_seek(self) -> None:
        # Whoever calls this resumes the flow next.
        self.stop_flow()
        self._seeks += 1
        try:
            await super().perform_seek()
        finally:
            self._seeks += 1

    async def getmany(self, timeout: float) -> AsyncGenerator[tuple[Any, Any], None]:
        if self._overtaken and not await self._seek_again():
            return
        seeks = self._seeks
        fetching = cast("AsyncGenerator[tuple[Any, Any], None]", super().getmany(timeout))
        async with aclosing(fetching) as fetched:
            async for partition, message in fetched:
                if self._seeks != seeks:
                    break
                yield partition, message
        # Fetched before or after the seek, nobody knows.
        self._overtaken = self._seeks != seeks

    async def _seek_again(self) -> bool:
        try:
            await super().perform_seek()
        except Exception as error:  # of a rebalance that began: the next call tries again
            self.log.info("Cannot go back to the committed offsets yet: %r", error)
            await self.sleep(_AGAIN_S)
            return False
        self._overtaken = False
        return True

    def _new_consumer_thread(self) -> _CommittedThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)


class CommittedTransport(Transport):
    """Faust's transport, whose consumers see what is committed and nothing else."""

    Consumer = _CommittedConsumer


def broker_urls(settings: KafkaSettings) -> list[str]:
    """The brokers as faust names them."""
    return [f"kafka://{address.strip()}" for address in settings.bootstrap_servers.split(",")]


def credentials(settings: KafkaSettings) -> Any:
    """Who we are; None for a cluster that does not ask.

    Raises:
        ConfigError: `kafka.properties` ask for something that faust cannot do, or a certificate cannot be read.
    """
    given = {name: str(value) for name, value in settings.properties.items()}
    for name in given:
        if name.startswith(("ssl.", "sasl.")) and name not in _UNDERSTOOD:
            raise ConfigError(
                f"kafka.properties: `vss worker aggregate` does not understand {name}",
                fix=f"use one of {', '.join(sorted(_UNDERSTOOD))}",
            )
    protocol = given.get("security.protocol", "plaintext").lower()
    context = _tls(given) if protocol in ("ssl", "sasl_ssl") else None
    if protocol.startswith("sasl"):
        mechanism = given.get("sasl.mechanisms", given.get("sasl.mechanism", "PLAIN"))
        if mechanism not in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            raise ConfigError(
                f"kafka.properties: `vss worker aggregate` cannot log in by {mechanism}",
                fix="use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
            )
        return faust.SASLCredentials(
            username=given.get("sasl.username"),
            password=given.get("sasl.password"),
            mechanism=mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def _tls(given: dict[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=given.get("ssl.ca.location"))
        if given.get("ssl.endpoint.identification.algorithm", "https").lower() in ("none", ""):
            context.check_hostname = False
        if certificate := given.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, given.get("ssl.key.location"), given.get("ssl.key.password"))
    except OSError as error:
        raise ConfigError(f"kafka.properties: a certificate cannot be read: {error}", fix="correct ssl.*") from error
    return context
