from __future__ import annotations

import uuid

import pytest

from tests.views.makers import CommittedWriter
from vss.config import KafkaSettings, RedisSettings
from vss.streams.topic_admin import create_topics


@pytest.fixture
def kafka(bootstrap_servers: str) -> KafkaSettings:
    """Topics of the test's own."""
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"t{uuid.uuid4().hex[:12]}.")
    create_topics(settings)
    return settings


@pytest.fixture
def writer(kafka: KafkaSettings) -> CommittedWriter:
    return CommittedWriter(kafka)


@pytest.fixture
def redis_settings(redis_url: str) -> RedisSettings:
    """Keys of the test's own."""
    return RedisSettings(url=redis_url, key_prefix=f"t{uuid.uuid4().hex[:12]}:")
