"""The connection to Redis, and how its errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from vss.config import RedisSettings
from vss.errors import CacheUnavailable, ConfigError


def connect(settings: RedisSettings) -> redis.Redis:
    """A client that gives up after `timeout_s` a call. Connects with its first command.

    Raises:
        ConfigError: The URL is none.
    """
    try:
        return redis.Redis.from_url(
            settings.url,
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            # Once more at once: an idle connection that the server has closed is found out by using it.
            retry=Retry(NoBackoff(), 1),
            client_name="vss",
        )
    except ValueError as error:
        raise ConfigError(
            f"redis.url cannot be used: {error}", fix="give a URL such as redis://127.0.0.1:6379/0"
        ) from error


def address(client: redis.Redis) -> str:
    """Where the client connects to, without its password."""
    options = client.connection_pool.connection_kwargs
    if (path := options.get("path")) is not None:
        return str(path)
    return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"


@contextmanager
def translated(client: redis.Redis) -> Iterator[None]:
    """Raises our errors for those of the Redis client.

    Whatever Redis refuses beside a user (out of memory, disk full, loading, a replica, no master) may be put right
    without us, so it counts as away.

    Raises:
        CacheUnavailable: Redis does not answer, or cannot serve now.
        ConfigError: Redis refuses this user.
    """
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        raise ConfigError(
            f"Redis at {address(client)} refuses this user: {error}", fix="correct user and password in redis.url"
        ) from error
    except redis.RedisError as error:
        raise unavailable(client, error) from error


def unavailable(client: redis.Redis, error: Exception) -> CacheUnavailable:
    """Our error for one of the Redis client."""
    return CacheUnavailable(
        f"Redis at {address(client)} cannot serve: {error}",
        fix="start Redis (`vss up` for a local one) or name it with --redis-url",
    )
