from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from vss.errors import ConfigError
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.workers.endpoint import Endpoint

LOCAL = "127.0.0.1"


class Reasons:
    """What the two checks answer; the test changes it."""

    def __init__(self) -> None:
        self.health: list[str] = []
        self.readiness: list[str] = []


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def reasons() -> Reasons:
    return Reasons()


@pytest.fixture
def endpoint(metrics: Metrics, reasons: Reasons) -> Iterator[Endpoint]:
    with Endpoint(
        0,
        registry=metrics.registry,
        health=lambda: reasons.health,
        readiness=lambda: reasons.readiness,
        logger=get_logger("test"),
        host=LOCAL,
    ) as endpoint:
        yield endpoint


def get(endpoint: Endpoint, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{LOCAL}:{endpoint.port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_show_what_was_counted(endpoint: Endpoint, metrics: Metrics) -> None:
    metrics.inference_requests.labels("yolo", "ok").inc(3)
    status, text = get(endpoint, "/metrics")
    assert status == 200
    assert 'inference_requests_total{model_name="yolo",status="ok"} 3.0' in text


@pytest.mark.parametrize(("path", "check"), [("/healthz", "health"), ("/readyz", "readiness")])
def test_a_check_answers_503_with_its_reasons_and_200_without(
    endpoint: Endpoint, reasons: Reasons, path: str, check: str
) -> None:
    assert get(endpoint, path)[0] == 200
    setattr(reasons, check, ["Redis is away"])
    status, text = get(endpoint, path)
    assert status == 503
    assert json.loads(text) == {"ok": False, "reasons": ["Redis is away"]}
    other = "/readyz" if path == "/healthz" else "/healthz"
    assert get(endpoint, other)[0] == 200


def test_another_path_is_not_found_and_names_those_there_are(endpoint: Endpoint) -> None:
    status, text = get(endpoint, "/")
    assert status == 404
    assert "/metrics" in text


def test_a_silent_client_does_not_keep_others_waiting(endpoint: Endpoint) -> None:
    with socket.create_connection((LOCAL, endpoint.port)):
        assert get(endpoint, "/healthz")[0] == 200


def test_a_port_in_use_is_one_clear_error_with_the_fix(endpoint: Endpoint, metrics: Metrics) -> None:
    with pytest.raises(ConfigError, match=f"port {endpoint.port}") as caught:
        Endpoint(
            endpoint.port,
            registry=metrics.registry,
            health=list,
            readiness=list,
            logger=get_logger("test"),
            host=LOCAL,
        )
    assert "--metrics-port" in caught.value.fix


def test_a_closed_endpoint_frees_its_port(metrics: Metrics) -> None:
    first = Endpoint(0, registry=metrics.registry, health=list, readiness=list, logger=get_logger("test"), host=LOCAL)
    port = first.port
    first.close()
    with pytest.raises(urllib.error.URLError):
        get(first, "/healthz")
    with Endpoint(
        port, registry=metrics.registry, health=list, readiness=list, logger=get_logger("test"), host=LOCAL
    ) as second:
        assert get(second, "/healthz")[0] == 200
