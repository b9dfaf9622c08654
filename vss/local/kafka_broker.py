"""A single Kafka node: broker and controller (KRaft) in one JVM."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vss.errors import LocalError
from vss.local.class_archive import NOTES_FILE, ClassArchive
from vss.local.jars import JarCache
from vss.local.launch import tail
from vss.local.ports import listens
from vss.local.programs import find_java
from vss.local.state import KAFKA

CONFIG_FILE = "server.properties"
LOG4J_FILE = "log4j2.properties"
DATA_FOLDER = "data"
FORMAT_TIMEOUT_S = 60.0

# The serial collector and the first compiler alone: a quick start and a small footprint, which is what a broker beside
# its clients on one machine is asked for. Enough for more than 100,000 small records a second.
JVM_OPTIONS = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # Relative to the folder it is started in: a path here would be split at commas.
    "log.dirs": DATA_FOLDER,
    "auto.create.topics.enable": "false",
    # One node can hold one replica. Few partitions, since the first consumer and the first transaction wait for them.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A killed worker's partitions are served again after the session timeout: as short as the classic protocol allows.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "6000",
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "1000",
    # A dead worker's transaction holds `read_committed` readers back until the broker looks at it.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # After a crash the controller refuses the broker's return until its last session is over.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    # A raw frame of 1080p is 6 MB.
    "message.max.bytes": str(16 * 1024 * 1024),
    "replica.fetch.max.bytes": str(16 * 1024 * 1024),
    "socket.request.max.bytes": str(100 * 1024 * 1024),
    # A laptop's disk: a day and a gigabyte a partition for topics that do not say otherwise.
    "log.retention.hours": "24",
    "log.retention.bytes": str(1024 * 1024 * 1024),
    "log.segment.bytes": str(128 * 1024 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    # Held in memory from the start on, by default 128 MiB of it.
    "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
}

LOG4J = """\
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = OUT
logger.config.name = org.apache.kafka.common.config
logger.config.level = WARN
"""


class KafkaBroker:
    """One broker on the loopback interface.

    Args:
        folder: Where its data and settings lie.
        jars: Where the program is.
        environ: Names where Java is.
    """

    name = KAFKA
    port_count = 2

    def __init__(self, folder: Path, jars: JarCache, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._jars = jars
        self._environ = environ

    def command(self, ports: tuple[int, ...]) -> list[str]:
        """Fetches the jars where they are missing, formats the data folder the first time, writes the settings.

        Raises:
            LocalError: No Java, a jar that cannot be had, or a data folder that cannot be formatted.
        """
        program = find_java(self._environ)
        jars = self._jars.ensure()
        if os.pathsep in str(jars[0].parent):
            raise LocalError(
                f"Java cannot be told of jars in {jars[0].parent}, for {os.pathsep} ends a path",
                fix=f"set VSS_CACHE to a folder without {os.pathsep} in its name",
            )
        class_path = os.pathsep.join(str(jar) for jar in jars)
        java = [str(program), *JVM_OPTIONS, f"-Dlog4j2.configurationFile={LOG4J_FILE}", "-cp", class_path]
        archive = self._archive(program)
        (self.folder / LOG4J_FILE).write_text(LOG4J)
        (self.folder / CONFIG_FILE).write_text(_properties(ports))
        if not (self.folder / DATA_FOLDER / "meta.properties").exists():
            self._format([*java, *archive.use_options()])
        return [*java, *archive.start_options(), "kafka.Kafka", CONFIG_FILE]

    def stopped(self) -> None:
        """Has the classes that this broker loaded archived, where no broker before it did."""
        if (self.folder / NOTES_FILE).exists():
            self._archive(find_java(self._environ)).make_from(self.folder)

    def _archive(self, java: Path) -> ClassArchive:
        return ClassArchive(self._jars.folder.parent / "classes", java, JVM_OPTIONS, self._jars.paths())

    def answers(self, ports: tuple[int, ...]) -> bool:
        """Whether the metadata that clients are given names the broker: not before the controller lets it serve."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        if not listens(ports[0]):
            return False  # at once, where the client below would go on trying
        config: dict[str, Any] = {
            "bootstrap.servers": f"127.0.0.1:{ports[0]}",
            # A broker that does not answer yet is what we wait for, not news for the log.
            "log_level": 0,
            "error_cb": lambda _error: None,
        }
        admin = AdminClient(config)
        try:
            return bool(admin.list_topics(timeout=0.5).brokers)
        except KafkaException:
            return False

    def _format(self, java: list[str]) -> None:
        """Gives the data folder its identity, once in its life."""
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", _cluster_id(), "--config", CONFIG_FILE]
        try:
            answer = subprocess.run(
                [*java, *tool],
                cwd=self.folder,
                capture_output=True,
                text=True,
                timeout=FORMAT_TIMEOUT_S,
                check=False,
                start_new_session=True,  # Ctrl-C in the terminal is for us, and no fault of the folder.
            )
        except subprocess.TimeoutExpired as error:
            raise LocalError(
                f"Kafka did not format {self.folder / DATA_FOLDER} within {FORMAT_TIMEOUT_S:.0f} s",
                fix="try again when the machine is less busy",
            ) from error
        if answer.returncode != 0:
            raise LocalError(
                f"Kafka cannot format {self.folder / DATA_FOLDER}:\n{tail(answer.stdout + answer.stderr)}",
                fix=f"remove {self.folder} to start afresh, or choose another folder with --folder",
            )


def _properties(ports: tuple[int, ...]) -> str:
    broker, controller = ports
    settings = SETTINGS | {
        # A fixed voter and not a recorded one, so that the ports may change between two starts.
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"BROKER://127.0.0.1:{broker}",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _cluster_id() -> str:
    """Sixteen random bytes as Kafka writes them. One that starts with a dash would be taken for an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        continue
    return text
