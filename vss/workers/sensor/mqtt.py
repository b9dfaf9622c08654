"""Readings of an MQTT broker."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vss.clock import Clock, Deadline
from vss.errors import ConfigError, SourceUnavailable
from vss.workers.sensor.mqtt_payload import MqttPayloads
from vss.workers.sensor.sample import Batch, Sample, Unreadable

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

_QOS = 1
# How long one look at the socket waits, and how many messages may come before they are handed on.
_WAIT_S = 0.2
_BATCH = 256


class _ClosesItself(ssl.SSLSocket):
    """Paho forgets a socket whose handshake fails."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


@dataclass(frozen=True, slots=True)
class Tls:
    """How a broker is known, and how it knows us.

    Attributes:
        ca_file: Who signs brokers; the system's where None.
        cert_file: Our certificate, for brokers that ask for one.
        key_file: Its key.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """What paho connects with; broker and name are always checked.

        Raises:
            ConfigError: A file cannot be read or is none of these.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise _bad_file(self.ca_file, error, "give --ca-file a PEM file with the CA's certificate") from None
        context.sslsocket_class = _ClosesItself
        if self.cert_file is not None:
            try:
                # A key that wants a passphrase would ask for it on the terminal.
                context.load_cert_chain(self.cert_file, self.key_file, password=_no_passphrase)
            except (OSError, ssl.SSLError, ValueError) as error:
                raise _bad_file(
                    self.cert_file,
                    error,
                    "give --cert-file a PEM certificate, --key-file its key, no passphrase",
                ) from None
        return context


@dataclass(frozen=True, slots=True)
class Mqtt:
    """See `vss.workers.ingest.source.Source`.

    Attributes:
        host: Of the broker.
        port: Of the broker.
        topic: What to subscribe to; may hold `+` and `#`.
        payloads: Makes readings of messages.
        clock: For timeouts.
        user: None connects without.
        password: Gives the password; asked at every connection, so that a changed file counts.
        tls: None connects without TLS.
        timeout_s: For the connection, and the silence of keep-alives after which it has dropped.
        client_id: Must be unique at the broker.
        keeps_session: The broker keeps what comes while we are away, for this client id.
    """

    host: str
    port: int
    topic: str
    payloads: MqttPayloads
    clock: Clock
    user: str | None = None
    password: Callable[[], str | None] = field(default=lambda: None, repr=False)
    tls: Tls | None = None
    timeout_s: float = 10.0
    client_id: str = ""
    keeps_session: bool = False

    @property
    def name(self) -> str:
        """The address without secrets."""
        scheme = "mqtt" if self.tls is None else "mqtts"
        user = f"{self.user}@" if self.user is not None else ""
        return f"{scheme}://{user}{self.host}:{self.port}/{self.topic}"

    @property
    def live(self) -> bool:
        """Sensors do not wait."""
        return True

    def open(self) -> MqttStream:
        """See `Source.open`."""
        return MqttStream(self)


class MqttStream:
    """A subscription. Connects when it is made; all of paho runs on the thread that reads.

    Args:
        source: Where.

    Raises:
        SourceUnavailable: The broker does not answer or does not let us in.
        ConfigError: The password or a TLS file cannot be read.
    """

    def __init__(self, source: Mqtt) -> None:
        self._source = source
        self._batch: list[Sample | Unreadable] = []
        # Messages of the batch, and those of the batch before, which its reader has in hands.
        self._ids: list[int] = []
        self._given: list[int] = []
        self._dropped: SourceUnavailable | None = None
        self._refused = ""
        self._subscribed = False
        self._client = self._make_client()
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def read(self) -> Batch:
        """See `Stream.read`; empty when no message came for a moment."""
        if self._dropped is not None:
            raise self._dropped
        self._confirm()
        try:
            self._collect()
        except SourceUnavailable as error:
            if not self._batch:
                raise
            self._dropped = error  # told when what came before it is taken
        batch, self._batch = self._batch, []
        self._given, self._ids = self._ids, []
        return batch

    def close(self) -> None:
        """See `Stream.close`. What nobody asked for more after is not confirmed: its reader may have had no room."""
        self._client.disconnect()

    def _confirm(self) -> None:
        """Whoever asks for more has the last messages in the buffer; those not confirmed may come once more."""
        given, self._given = self._given, []
        for message in given:
            self._client.ack(message, _QOS)

    def _collect(self) -> None:
        self._loop(_WAIT_S)
        while self._batch and len(self._batch) < _BATCH:
            before = len(self._batch)
            self._loop(0.0)
            if len(self._batch) == before:
                break

    def _make_client(self) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        source = self._source
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=source.client_id,
            clean_session=not source.keeps_session,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if source.tls is not None:
            client.tls_set_context(source.tls.context())
        if source.user is not None:
            client.username_pw_set(source.user, source.password())
        client.connect_timeout = source.timeout_s
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _connect(self) -> None:
        source = self._source
        try:
            self._client.connect(source.host, source.port, keepalive=max(1, round(source.timeout_s)))
        except (OSError, ValueError) as error:  # ssl's errors are OSErrors, ValueError is paho's
            raise self._unavailable(_reason(error)) from None
        deadline = Deadline.after(source.timeout_s, source.clock)
        while not self._subscribed:
            self._loop(min(_WAIT_S, deadline.remaining_s()))
            if self._refused:
                raise self._unavailable(self._refused)
            if deadline.passed():
                raise self._unavailable("no answer in time")

    def _loop(self, wait_s: float) -> None:
        from paho.mqtt.client import error_string

        try:
            code = self._client.loop(wait_s)
        except OSError as error:
            raise self._unavailable(_reason(error)) from None
        if code and not self._refused:
            raise self._unavailable(error_string(code).rstrip("."))

    def _on_connect(self, client: Client, _userdata: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._refused = f"the broker refuses us: {code}"
        else:
            client.subscribe(self._source.topic, _QOS)

    def _on_subscribe(self, _client: Client, _userdata: Any, _mid: int, codes: Any, _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self._refused = f"the broker refuses the subscription: {codes[0]}"
        self._subscribed = True

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        if message.qos:
            self._ids.append(message.mid)
        try:
            sample = self._source.payloads.decode(message.topic, bytes(message.payload), retained=message.retain)
        except ValueError as error:  # a topic that is no text is one, too
            topic = bytes(message._topic).decode(errors="replace")
            self._batch.append(Unreadable(f"topic {topic[:100]!r}: {error}"))
            return
        if sample is not None:
            self._batch.append(sample)

    def _unavailable(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(f"{self._source.name}: {why}", fix="check the broker's address, user and password")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _no_passphrase() -> str:
    raise ValueError("the key wants a passphrase")


def _bad_file(file: Path | None, error: Exception, fix: str) -> ConfigError:
    why = getattr(error, "strerror", None) or str(error)
    return ConfigError(f"{file} cannot be used: {why}", fix=fix)
