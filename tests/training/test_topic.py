import math
import uuid
from collections.abc import Iterable

import pytest

from vss.clock import SystemClock
from vss.config import KafkaSettings, Settings
from vss.errors import ConfigError
from vss.logs import get_logger
from vss.schemas.envelope import Message
from vss.schemas.topics import TELEMETRY
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.log_range import Moment
from vss.streams.topic_admin import create_topics
from vss.testing.readings import PERIOD_MS, START_MS, make_bad_readings, make_reading
from vss.training.data.columns import Columns
from vss.training.data.topic import read_topic


@pytest.fixture
def settings(bootstrap_servers: str) -> Settings:
    """Topics of the test's own."""
    kafka = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"t{uuid.uuid4().hex[:12]}.")
    create_topics(kafka)
    return Settings(kafka=kafka)


def publish(settings: Settings, messages: Iterable[Message]) -> None:
    publisher = KafkaPublisher(settings.kafka, logger=get_logger("test"))
    for message in messages:
        assert publisher.publish(message)
    assert publisher.flush(10.0) == 0
    publisher.close()


def topic(settings: Settings) -> str:
    return TELEMETRY.name(settings.kafka.topic_prefix)


def test_readings_of_all_sensors_come_in_the_order_of_their_times(settings: Settings) -> None:
    name = topic(settings)
    messages = [make_reading(f"pump-{n % 3}", n // 3, topic=name) for n in range(300)]
    messages[30], messages[33] = messages[33], messages[30]  # one sensor's readings change places
    messages.append(make_reading("pump-0", 5, values={"flow": 99.0}, topic=name))  # comes again, another value
    messages += [message for message, _ in make_bad_readings("pump-1", topic=name).values() if message.key]
    publish(settings, messages)
    data = read_topic(settings, "telemetry", None, None)
    assert data.features == ("flow", "pressure")
    assert data.sensors == ("pump-0", "pump-1", "pump-2")
    assert [len(one) for one in data.series] == [100, 100, 100]
    for one in data.series:
        assert one.ts_ms.tolist() == [START_MS + n * PERIOD_MS for n in range(100)]
        assert one.values[:, 0].tolist() == [30.0 + 0.1 * (n % 7) for n in range(100)]
    assert data.period_ms == PERIOD_MS
    left_out = dict(data.left_out)
    assert left_out["readings of a time that another has"] == 1
    assert left_out["records that are no readings"] > 3
    assert read_topic(settings, "telemetry", None, None).sha256 == data.sha256


def test_features_are_chosen_and_what_is_missing_stays_missing(settings: Settings) -> None:
    name = topic(settings)
    values: list[dict[str, float | None]] = [{"a": 1.0, "b": 2.0}, {"a": None, "b": 3.0}, {"b": 4.0, "anomaly": 1.0}]
    publish(settings, [make_reading("pump", n, values=one, topic=name) for n, one in enumerate(values)])
    assert read_topic(settings, name, None, None).features == ("a", "b")
    data = read_topic(settings, name, None, None, Columns(features=("b", "a")))
    assert data.features == ("b", "a")
    assert data.series[0].values[:, 0].tolist() == [2, 3, 4]
    assert [math.isnan(value) for value in data.series[0].values[:, 1]] == [False, True, True]
    with pytest.raises(ConfigError, match="no column 'c'") as error:
        read_topic(settings, name, None, None, Columns(features=("c",)))
    assert "a, b" in error.value.fix


def test_only_the_range_is_read(settings: Settings) -> None:
    publish(settings, [make_reading("pump", n, topic=topic(settings)) for n in range(20)])
    data = read_topic(settings, "telemetry", Moment(offset=5), Moment(offset=12))
    assert data.series[0].ts_ms.tolist() == [START_MS + n * PERIOD_MS for n in range(5, 12)]
    later = Moment(time_ms=SystemClock().now_ns() // 1_000_000 + 60_000)
    with pytest.raises(ConfigError, match=r"no reading of .* lies in that range"):
        read_topic(settings, "telemetry", later, None)
