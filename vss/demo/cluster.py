"""The demo's own settings: its own servers, whatever the user's files and environment say about others."""

from __future__ import annotations

import json
from collections.abc import Mapping

from vss.config import KafkaSettings, Limits, LoopSettings, ModelSettings, RedisSettings, Settings, load_settings
from vss.local.state import Addresses
from vss.model_store.layout import absolute_address


def model_settings(threads: int) -> ModelSettings:
    """The user's settings of models.

    Args:
        threads: Inference threads of each worker, where the user has said nothing.

    Raises:
        ConfigError: The user's settings cannot be read.
    """
    model: ModelSettings = load_settings().model
    return model.model_copy(update={"store": absolute_address(model.store), "threads": model.threads or threads})


def demo_settings(addresses: Addresses, model: ModelSettings) -> Settings:
    """Defaults with these addresses; of the user's own settings only those of models count."""
    return Settings.model_construct(
        kafka=KafkaSettings(bootstrap_servers=addresses.bootstrap_servers),
        redis=RedisSettings(url=addresses.redis_url),
        model=model,
        loop=LoopSettings(),
        limits=Limits(),
    )


def child_environment(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The environment of those of the demo's processes that look at pictures, which makes these settings theirs.

    Args:
        environ: This process's.
        settings: See `demo_settings`.
    """
    kept = _plain_environment(environ, settings)
    for name, value in settings.model.model_dump(mode="json", exclude_defaults=True).items():
        kept[f"VSS_MODEL__{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)
    return kept


def sensor_environment(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The environment of those that look at readings: what is set for models of pictures does not fit theirs.

    Args:
        environ: This process's.
        settings: See `demo_settings`.
    """
    kept = _plain_environment(environ, settings)
    # A transaction twice or four times a second is soon enough for a pump, and leaves the cores to the cameras.
    kept["VSS_LOOP__MAX_WAIT_MS"] = "250"
    return kept


def _plain_environment(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not name.upper().startswith("VSS_")}
    kept["VSS_KAFKA__BOOTSTRAP_SERVERS"] = settings.kafka.bootstrap_servers
    kept["VSS_REDIS__URL"] = settings.redis.url
    return kept
