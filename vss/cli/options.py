"""Options that many commands share, and how flags become settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from vss.config import Settings, load_settings
from vss.logs import configure

F = TypeVar("F", bound=Callable[..., Any])


def fleet_options(command: F) -> F:
    """Adds `--bootstrap-servers`, `--redis-url` and `--config`, which reach the command as one `settings` argument."""
    import functools

    @click.option("--config", type=click.Path(path_type=Path), envvar="VSS_CONFIG", help="Settings file (vss.toml).")
    @click.option("--bootstrap-servers", metavar="HOST:PORT,…", help="Kafka brokers.")
    @click.option("--redis-url", metavar="URL", help="Redis.")
    @click.pass_context
    @functools.wraps(command)
    def wrapped(
        ctx: click.Context, config: Path | None, bootstrap_servers: str | None, redis_url: str | None, **rest: Any
    ) -> Any:
        configure(level="DEBUG" if ctx.find_root().obj else "INFO")
        overrides = nested({"kafka.bootstrap_servers": bootstrap_servers, "redis.url": redis_url})
        return command(settings=settings_with(config, overrides), **rest)

    return wrapped  # type: ignore[return-value] # click's decorators keep the callable, not its signature


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


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Dotted names to nested tables, leaving out what is None: `{"kafka.x": 1}` → `{"kafka": {"x": 1}}`."""
    tables: dict[str, Any] = {}
    for name, value in values.items():
        if value is not None:
            table, _, key = name.partition(".")
            tables.setdefault(table, {})[key] = value
    return tables
