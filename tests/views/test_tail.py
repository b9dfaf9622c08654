from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import date, datetime

import pytest
from click.testing import CliRunner, Result

from tests.streams.activation_records import activation, verdict
from tests.views.makers import (
    TIME,
    CommittedWriter,
    classification,
    dead_letter_message,
    detection,
    event_message,
    frame_message,
    shed_message,
)
from vss.cli.main import cli
from vss.codecs.events import encode_event
from vss.config import KafkaSettings
from vss.errors import ConfigError
from vss.schemas.envelope import Message, Record
from vss.schemas.events import SourceCoordinates
from vss.schemas.models import ModelEvent, ServingLimits
from vss.schemas.topics import (
    CATALOGUE,
    CLASSIFICATIONS,
    DETECTIONS,
    FRAMES,
    MODEL_EVENTS,
    MODEL_VERDICTS,
    MODELS,
    Topic,
)
from vss.workers.record_rows import columns_of, document, printable, row


def environ(kafka: KafkaSettings) -> dict[str, str]:
    return {
        "VSS_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "VSS_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
    }


def tail(kafka: KafkaSettings, *arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["tail", *arguments], env=environ(kafka))
    assert result.exit_code == 0, result.exception
    return result


def test_a_frame_shows_its_headers_and_size_and_never_its_bytes(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    writer.write([frame_message(kafka, b"secret picture" * 100)])
    result = tail(kafka, "frames", "--from-beginning", "-n", "1", "--json")
    found = json.loads(result.stdout)
    assert (found["key"], found["size_bytes"], found["headers"]) == ("gate", 1400, {"content-type": "image/jpeg"})
    assert "secret" not in result.stdout
    table = tail(kafka, "frames", "--from-beginning", "-n", "1")
    assert "1.4 kB" in table.stdout
    assert "secret" not in table.stdout


def test_an_event_is_one_json_line_with_its_value(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    writer.write([event_message(kafka, detection(seq)) for seq in range(3)])
    result = tail(kafka, "detections", "--from-beginning", "-n", "2", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["value"]["seq"] for line in lines] == [0, 1]
    table = tail(kafka, "detections", "--from-beginning", "-n", "3")
    assert table.stdout.count("1 bottle") == 3
    assert table.stdout.count("camera") == 1


def test_a_dead_letter_shows_why_it_is_one(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    source = SourceCoordinates("vss.frames", 1, 7)
    writer.write([dead_letter_message(kafka, source, group="day-shift")])
    found = json.loads(tail(kafka, "dlq", "--from-beginning", "-n", "1", "--json").stdout)
    assert found["reason"] == {
        "source": {"topic": "vss.frames", "partition": 1, "offset": 7},
        "group": "day-shift",
        "stage": "detect",
        "error": "UndecodableImage",
        "message": "no whole image",
    }
    table = tail(kafka, "dlq", "--from-beginning", "-n", "1")
    assert "UndecodableImage: no whole image" in table.stdout
    assert "vss.frames[1]@7" in table.stdout


def test_a_shed_note_shows_reason_and_age(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    writer.write([shed_message(kafka, SourceCoordinates("vss.frames", 1, 7), group="day")])
    table = tail(kafka, "shed", "--from-beginning", "-n", "1")
    assert "too_old, 10 ms old" in table.stdout
    assert "vss.frames[1]@7" in table.stdout


def shown(topic: Topic, event: object) -> str:
    record = Record(topic.name("vss."), 0, 3, b"gate", encode_event(event), (), 1_700_000_000_000)
    return " | ".join(row(record, columns_of(topic), today=date(2026, 1, 1))[3:])


def test_what_happens_to_models_reads_as_sentences() -> None:
    limits = ServingLimits(max_error_rate=0.02, max_p95_ms=80)
    canary = activation(version="4", percent=10, history=("3",), limits=limits)
    assert shown(MODELS, canary) == "4 | 10 % | 3 | must keep errors ≤ 2.0%, p95 ≤ 80 ms"
    assert shown(MODELS, activation(version="4", history=())) == "4 | all | - | "
    assert shown(MODEL_VERDICTS, verdict()) == "gate@2 | host:1 | too slow"
    event = ModelEvent(
        id="e",
        kind="rolled_back",
        name="gate",
        version="4",
        serving="3",
        activation_id="a",
        reason="12.0% of the last 100 records failed",
        worker="host:1",
        group="vss.detect",
        timestamp=TIME,
    )
    assert shown(MODEL_EVENTS, event) == "rolled back | 4 | 3 | host:1 | 12.0% of the last 100 records failed"


def test_a_classification_shows_what_was_seen_and_where() -> None:
    assert shown(CLASSIFICATIONS, classification(7)) == "7 | material@2 | glass 75%, plastic 25%"
    assert shown(CLASSIFICATIONS, classification(7, of_object=3)).endswith("object 3 (bottle): glass 75%, plastic 25%")


def test_without_from_beginning_only_new_records_show(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    writer.write([event_message(kafka, detection(0))])
    program = "from vss.cli.main import main; main()"
    command = [sys.executable, "-c", program, "tail", "detections", "--json", "-n", "1"]
    process = subprocess.Popen(
        command, env=os.environ | environ(kafka), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        seq = 1
        # Nobody tells when it follows: write until it has seen one.
        while process.poll() is None and time.monotonic() < deadline:
            writer.write([event_message(kafka, detection(seq))])
            seq += 1
            time.sleep(0.1)
        out, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert json.loads(out)["value"]["seq"] >= 1


def test_a_topic_that_the_catalogue_does_not_know_is_refused(kafka: KafkaSettings) -> None:
    result = CliRunner().invoke(cli, ["tail", "detection"], env=environ(kafka))
    assert isinstance(result.exception, ConfigError)
    assert "detections" in result.exception.fix


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.short)
def test_records_that_are_none_of_the_topics_still_show(topic: Topic) -> None:
    for key, value in ((None, None), (b"\xff\x1b[31m", b"\x00\xff"), (b"gate", b"{}")):
        record = Record(topic.name("vss."), 0, 0, key, value, (("ce_time", b"\xff"), ("empty", None)), 1)
        columns = columns_of(topic)
        cells = row(record, columns, today=date(2026, 1, 1))
        assert len(cells) == len(columns.names) == len(columns.widths) + 1
        assert not any("\x1b" in cell for cell in cells)
        json.dumps(document(record, topic))


def test_a_value_over_several_lines_stays_one_json_line(kafka: KafkaSettings, writer: CommittedWriter) -> None:
    writer.write([Message(DETECTIONS.name(kafka.topic_prefix), b"gate", b'{\n "id": "1"\n}')])
    result = tail(kafka, "detections", "--from-beginning", "-n", "1", "--json")
    assert json.loads(result.stdout)["value"] == {"id": "1"}
    assert result.stdout.count("\n") == 1


def test_only_times_of_other_days_show_their_date() -> None:
    moment = datetime(2026, 3, 1, 12, 30, 15, 250_000).astimezone()
    record = Record("vss.frames", 0, 7, b"gate", b"", (), int(moment.timestamp() * 1000))
    columns = columns_of(FRAMES)
    assert row(record, columns, today=date(2026, 3, 1))[:3] == ("12:30:15.250", "0@7", "gate")
    assert row(record, columns, today=date(2026, 3, 2))[0] == "03-01 12:30:15"


def test_what_would_move_the_cursor_is_not_printed() -> None:
    assert printable("a\x1b[2Jb\r\n") == "a?[2Jb??".replace("?", "\N{REPLACEMENT CHARACTER}")
    assert printable("Kamera Süd") == "Kamera Süd"


def test_a_frames_line_fits_into_eighty_characters() -> None:
    widths = columns_of(FRAMES).widths
    assert sum(width + 2 for width in widths) + len("123.4 kB") <= 80
