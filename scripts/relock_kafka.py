"""Writes `vss/local/kafka.lock.json` anew from what Maven resolves.

Maven is asked, not a resolver of our own, because Kafka's modules only work in the exact set of versions that their
POMs manage. Needs `mvn`; run it when one of the versions below changes:

    python scripts/relock_kafka.py
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK_FILE = Path(__file__).parents[1] / "vss" / "local" / "kafka.lock.json"
# Not 4.3.0 to 4.4.0: where a partition has no leader for a moment, as all of a single broker's after a crash, they take
# it for deleted and never write how a transaction ended there (KAFKA-20734; tests/local/test_crashed_broker.py).
KAFKA_VERSION = "4.2.2"
ROOTS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Kafka logs through slf4j 1.7 and brings no backend along.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3",
)


def pom(roots: tuple[str, ...]) -> str:
    """The smallest project that depends on the roots."""
    dependencies = ""
    for root in roots:
        group, artifact, version = root.split(":")
        dependencies += (
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version></dependency>"
        )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>vss</groupId><artifactId>broker</artifactId><version>1</version>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )


def resolve(folder: Path) -> Path:
    """Has Maven lay the runtime closure of the roots out under the folder, and returns where."""
    (folder / "pom.xml").write_text(pom(ROOTS))
    jars = folder / "jars"
    subprocess.run(
        [
            "mvn",
            "--quiet",
            "--batch-mode",
            "--strict-checksums",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            "-Dmdep.useRepositoryLayout=true",
            f"-DoutputDirectory={jars}",
        ],
        cwd=folder,
        check=True,
    )
    return jars


def locked(jars: Path) -> list[dict[str, str | int]]:
    """One entry a jar, sorted by coordinates."""
    entries: list[dict[str, str | int]] = []
    for jar in jars.rglob("*.jar"):
        *group, artifact, version, file_name = jar.relative_to(jars).parts
        if file_name != f"{artifact}-{version}.jar":
            raise SystemExit(f"{file_name} has a classifier, which the lock file has no place for")
        content = jar.read_bytes()
        entries.append(
            {
                "coordinates": f"{'.'.join(group)}:{artifact}:{version}",
                "sha256": hashlib.sha256(content).hexdigest(),
                "size_bytes": len(content),
            }
        )
    return sorted(entries, key=lambda entry: str(entry["coordinates"]))


def main() -> None:
    """Resolves, hashes and writes."""
    with tempfile.TemporaryDirectory() as folder:
        entries = locked(resolve(Path(folder)))
    lock = {"kafka_version": KAFKA_VERSION, "jars": entries}
    LOCK_FILE.write_text(json.dumps(lock, indent=1) + "\n")
    sys.stdout.write(f"{len(entries)} jars, {sum(int(entry['size_bytes']) for entry in entries):,} bytes\n")


if __name__ == "__main__":
    main()
