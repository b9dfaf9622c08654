"""Options that many commands share, and how flags become settings."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from pydantic import ValidationError

from vss.config import Settings, load_settings
from vss.errors import ConfigError
from vss.logs import configure

F = TypeVar("F", bound=Callable[..., Any])


CONFIG_OPTION = click.option(
    "--config", type=click.Path(path_type=Path), envvar="VSS_CONFIG", help="Settings file (vss.toml)."
)
KAFKA_OPTION = click.option("--bootstrap-servers", metavar="HOST:PORT,…", help="Kafka brokers.")
REDIS_OPTION = click.option("--redis-url", metavar="URL", help="Redis.")


def fleet_options(command: F) -> F:
    """Adds `--config` and `--bootstrap-servers`, which reach the command as one `settings` argument."""
    return with_settings(command, CONFIG_OPTION, KAFKA_OPTION)


def redis_options(command: F) -> F:
    """Adds `--config` and `--redis-url`, which reach the command as one `settings` argument."""
    return with_settings(command, CONFIG_OPTION, REDIS_OPTION)


def fleet_and_redis_options(command: F) -> F:
    """Adds `--config`, `--bootstrap-servers` and `--redis-url`, which reach the command as one `settings` argument."""
    return with_settings(command, CONFIG_OPTION, KAFKA_OPTION, REDIS_OPTION)


def with_settings(
    command: F,
    *options: Callable[[F], F],
    pop_flags: Callable[[dict[str, Any]], dict[str, Any]] = lambda _arguments: {},
) -> F:
    """Adds options, `CONFIG_OPTION` among them, which reach the command as one `settings` argument.

    Args:
        command: What is run.
        options: In the order in which `--help` shows them.
        pop_flags: Takes what further options gave out of the arguments: `{"model.device": "cpu"}`.
    """

    @functools.wraps(command)
    def wrapped(
        config: Path | None, bootstrap_servers: str | None = None, redis_url: str | None = None, **rest: Any
    ) -> Any:
        configure(level="DEBUG" if click.get_current_context().find_root().obj else "INFO")
        overrides = {"kafka.bootstrap_servers": bootstrap_servers, "redis.url": redis_url} | pop_flags(rest)
        return command(settings=settings_with(config, nested(overrides)), **rest)

    decorated = cast("F", wrapped)
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def settings_with(config: Path | None, overrides: dict[str, Any]) -> Settings:
    """Settings of all sources, the local fleet's addresses included."""
    from vss.local.state import running

    addresses = running(Path(os.environ.get("VSS_HOME", ".vss")))
    local = (
        {"kafka": {"bootstrap_servers": addresses.bootstrap_servers}, "redis": {"url": addresses.redis_url}}
        if addresses is not None
        else {}
    )
    return load_settings(config, overrides=overrides, local=local)


def override(settings: Settings, values: dict[str, Any]) -> Settings:
    """The settings with what further flags say: `{"loop.max_batch": 8}`; None leaves a setting as it is.

    Raises:
        ConfigError: A value does not fit; names the setting.
    """
    changed: dict[str, Any] = {}
    for table, changes in nested(values).items():
        section = getattr(settings, table)
        try:
            changed[table] = type(section).model_validate(section.model_dump() | changes)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join([table, *(str(part) for part in first["loc"])])
            raise ConfigError(f"setting {name}: {first['msg']}", fix=f"give {name} a fitting value") from error
    return settings.model_copy(update=changed)


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Dotted names to nested tables, leaving out what is None: `{"kafka.x": 1}` → `{"kafka": {"x": 1}}`."""
    tables: dict[str, Any] = {}
    for name, value in values.items():
        if value is not None:
            table, _, key = name.partition(".")
            tables.setdefault(table, {})[key] = value
    return tables
