"""Logs that machines can read and that tell no secrets."""

from __future__ import annotations

import io
import json
import re

import pytest
import structlog

from vss.config import KafkaSettings
from vss.logs import configure, get_logger
from vss.masking import mask_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _own_configuration() -> object:
    yield
    structlog.reset_defaults()


def logged(**values: object) -> dict[str, object]:
    """One line written with the values, as it was read back."""
    out = io.StringIO()
    configure(stream=out)
    get_logger("test").info("said", **values)
    line: dict[str, object] = json.loads(out.getvalue())
    return line


def test_a_line_is_one_json_object_when_nobody_watches() -> None:
    line = logged(camera="gate", frames=3)
    assert line.items() >= {"event": "said", "camera": "gate", "frames": 3, "part": "test", "level": "info"}.items()
    assert str(line["timestamp"]).endswith("Z")


def test_a_line_is_for_people_on_a_terminal() -> None:
    out = Terminal()
    configure(stream=out)
    get_logger("test").info("said", camera="gate")
    with pytest.raises(json.JSONDecodeError):
        json.loads(out.getvalue())
    assert "said" in out.getvalue()
    assert re.match(r"\x1b\[2m\d\d:\d\d:\d\d\x1b", out.getvalue())
    assert "\x1b[" in out.getvalue()


def test_the_form_can_be_chosen() -> None:
    out = Terminal()
    configure(stream=out, json=True)
    get_logger("test").info("said")
    assert json.loads(out.getvalue())["event"] == "said"


def test_lines_below_the_level_are_left_out() -> None:
    out = io.StringIO()
    configure(stream=out, level="warning")
    get_logger("test").info("quiet")
    get_logger("test").warning("loud")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["loud"]


@pytest.mark.parametrize(
    "name", ["password", "sasl.password", "client_secret", "access_token", "ssl.key.pem", "API_KEY", "sasl.jaas.config"]
)
def test_a_value_with_a_telling_name_is_masked(name: str) -> None:
    assert logged(**{name: "hunter2"})[name] == "***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:hunter2@cache:6379/0", "redis://:***@cache:6379/0"),
        ("rtsp://admin:hunter2@10.0.0.7/ch1", "rtsp://admin:***@10.0.0.7/ch1"),
        ("rtsp://admin:hun@ter2@10.0.0.7/ch1", "rtsp://admin:***@10.0.0.7/ch1"),
        ("rtsp://admin:hun/ter?2@10.0.0.7/ch1", "rtsp://admin:***@10.0.0.7/ch1"),
        ("cannot open rtsp://u:hunter2@a/ and rtsp://v:hunter2@b/", "cannot open rtsp://u:***@a/ and rtsp://v:***@b/"),
        ("rtsp://10.0.0.7:554/ch1", "rtsp://10.0.0.7:554/ch1"),
        ("videos/me@home.mp4", "videos/me@home.mp4"),
        ("http://cam/video?user=a&pwd=hunter2&fps=5", "http://cam/video?user=a&pwd=***&fps=5"),
        ("http://cam/video?loginpas=hunter2", "http://cam/video?loginpas=***"),
        ("https://hunter2@maven.example/repo", "https://***@maven.example/repo"),
        ("http://cam/mjpg?user=a&pwd=hunter2&fps=5", "http://cam/mjpg?user=a&pwd=***&fps=5"),
        ("Invalid sasl.password=hunter2, giving up", "Invalid sasl.password=***, giving up"),
    ],
)
def test_a_secret_inside_any_value_is_masked(text: str, shown: str) -> None:
    assert mask_text(text) == shown
    assert logged(source=text)["source"] == shown
    assert logged(sources=[{"url": text}])["sources"] == [{"url": shown}]


@pytest.mark.parametrize(
    "text",
    [
        "http://cam/img@2x.png",
        "http://cam:80/img@2x.png",
        "write to a.b@example.com",
        "127.0.0.1:9092,127.0.0.1:9093",
        "no password: give one",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_text(text) == text


def test_a_secret_in_a_settings_object_an_exception_or_a_traceback_is_masked() -> None:
    settings = KafkaSettings(properties={"sasl.password": "hunter2"})
    assert "hunter2" not in str(logged(settings=settings))
    assert "hunter2" not in str(logged(error=OSError("rtsp://u:hunter2@camera/ timed out")))
    try:
        raise OSError("rtsp://u:hunter2@camera/ timed out")
    except OSError:
        line = logged(exc_info=True)
    assert "Traceback" in str(line["exception"])
    assert "hunter2" not in str(line)
