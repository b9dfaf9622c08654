from __future__ import annotations

import uuid

import pytest

from tests.views.makers import CommittedWriter
from vss.config import KafkaSettings, RedisSettings, Settings
from vss.streams.topic_admin import create_topics


@pytest.fixture
def kafka(bootstrap_servers: str) -> KafkaSettings:
    """The session's broker with topics of the test's own."""
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"{uuid.uuid4().hex}.")
    create_topics(settings)
    return settings


@pytest.fixture
def writer(kafka: KafkaSettings) -> CommittedWriter:
    return CommittedWriter(kafka)


@pytest.fixture
def redis_settings(redis_url: str) -> RedisSettings:
    """The session's Redis with keys of the test's own."""
    return RedisSettings(url=redis_url, key_prefix=f"{uuid.uuid4().hex}:")


@pytest.fixture
def settings(kafka: KafkaSettings, redis_settings: RedisSettings) -> Settings:
    return Settings(kafka=kafka, redis=redis_settings)
