"""Every setting, its default and its limits; `docs/configuration.md` is made from here.

Where a value comes from, first wins: a flag, the environment (`VSS_KAFKA__BOOTSTRAP_SERVERS`), `vss.toml`, the local
fleet that `vss up` started in this folder, the default below.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from vss.errors import ConfigError

DEFAULT_FILE = Path("vss.toml")
ENV_PREFIX = "VSS_"
ENV_DELIMITER = "__"


class Section(BaseModel):
    """A table of `vss.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class KafkaSettings(Section):
    """The cluster and how we talk to it."""

    bootstrap_servers: str = Field("127.0.0.1:9092", description="Brokers, `host:port` separated by commas.")
    group_protocol: Literal["consumer", "classic"] = Field(
        "consumer", description="`consumer` is KIP-848 (Kafka 4); `classic` also works with older clusters."
    )
    session_timeout_ms: int = Field(
        6000, ge=1000, description="`classic` only: a dead worker's partitions are orphaned for this long."
    )
    transaction_timeout_ms: int = Field(
        5000,
        ge=1000,
        description="A dead worker's open transaction holds readers and the next owner back for at most this long.",
    )
    topic_prefix: str = Field("vss.", description="What every topic's name starts with.")
    replication_factor: int = Field(1, ge=1, description="For topics that `vss topics create` makes.")
    properties: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Any librdkafka property (TLS, SASL, …) for every client; wins over ours."
    )

    @field_validator("properties", mode="before")
    @classmethod
    def _dotted(cls, value: Any) -> Any:
        """In TOML an unquoted `security.protocol = "SSL"` is a table in a table; a property all the same."""
        return _flat(value) if isinstance(value, Mapping) else value


class RedisSettings(Section):
    """The view of the result topics."""

    url: str = Field(
        "redis://127.0.0.1:6379/0", description="`redis://`, `rediss://` or `unix://`; may hold a password."
    )
    ttl_s: int = Field(3600, ge=1, description="How long a result stays readable, seconds.")
    key_prefix: str = Field("vss:", description="What every key starts with.")
    timeout_s: float = Field(2.0, gt=0, description="Limit of a call, seconds.")
    result_cache: bool = Field(
        True, description="Answer a frame that was seen before, byte for byte, from Redis instead of the model."
    )


class ModelSettings(Section):
    """The model store and how models run."""

    store: str = Field("models", description="Folder or fsspec address (`s3://bucket/models`) of the model store.")
    download_cache: Path = Field(
        Path("~/.cache/vss-fleet/models"), description="Folder that keeps files of a store that is no folder."
    )
    download_cache_bytes: int = Field(20 << 30, ge=1, description="What that folder may hold; least recently used go.")
    max_file_bytes: int = Field(4 << 30, ge=1, description="A larger model file is refused.")
    load_attempts: int = Field(5, ge=1, description="Tries to load a model while the store does not answer.")
    max_loaded: int = Field(10, ge=1, description="Models in memory at once; the least recently used idle one goes.")
    max_loaded_bytes: int = Field(8 << 30, ge=1, description="Memory that loaded models may hold.")
    max_accelerator_bytes: int | None = Field(
        None, ge=1, description="Memory that models may hold on the accelerator; what is free there by default."
    )
    max_group: int = Field(32, ge=1, le=1024, description="Records of a micro-batch that one model works on at once.")
    call_timeout_s: float = Field(30.0, gt=0, description="A record whose model call takes longer is a dead letter.")
    routes: dict[str, str] = Field(
        default_factory=dict,
        description="Pattern of keys (`gate-*`) to model, first that fits; for keys that need another than `--model`.",
    )
    route_by_header: bool = Field(True, description="Whether a record's `vss_model` header chooses the model.")
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        "auto",
        description="Of PyTorch models on CUDA and TensorRT engines; `auto` is the model's own, where CUDA may round"
        " float32 to TF32, `fp32` forbids it.",
    )
    cuda_graphs: bool = Field(
        False, description="Replay ONNX models on CUDA as graphs; saves launches, which small batches wait for."
    )
    compile: bool = Field(False, description="Compile PyTorch models (`torch.compile`); loading takes minutes.")
    top_k: int = Field(5, ge=1, le=1000, description="Classes that a classification reports.")
    features: str | None = Field(
        None, description="Layer whose output goes into events as `embedding`; `pooled` takes what the last layer sees."
    )
    device: Literal["auto", "cpu", "cuda", "tensorrt"] = Field(
        "auto", description="`auto` takes CUDA where onnxruntime-gpu finds one, else the CPU."
    )
    threads: int = Field(0, ge=0, description="Frames in inference at once on the CPU; 0 is one a core.")
    confidence: float | None = Field(None, ge=0, le=1, description="Lowest confidence; the manifest's, else 0.5.")
    threshold: float | None = Field(
        None, gt=0, description="Score above which a window of readings is an anomaly; the model's by default."
    )
    iou: float | None = Field(
        None, ge=0, le=1, description="IoU above which boxes of a class merge; the manifest's, else 0.4."
    )
    classes: tuple[str, ...] | None = Field(None, description="Report only these classes.")
    max_detections: int = Field(300, ge=1, description="Objects an event may hold.")


class WindowSettings(Section):
    """The windows of readings that telemetry workers keep by sensor."""

    stride: int = Field(1, ge=1, le=1_000_000, description="Score each n-th reading of a sensor, by event time.")
    lateness_ms: int = Field(
        60_000, ge=0, description="A reading older than its sensor's newest by more than this is left out with a note."
    )
    expire_after_ms: int = Field(
        3_600_000, ge=1, description="A gap this long between two readings of a sensor starts its window anew."
    )
    max_rewind: int = Field(
        2_000_000,
        ge=2,
        description="Records of a partition that a hand-over may read again; windows reach back half as many at least.",
    )
    sensors: tuple[str, ...] | None = Field(
        None, description="Patterns of sensor ids (`pump-*`); a reading of another is a dead letter. All by default."
    )
    max_keys: int = Field(100_000, ge=1, description="Sensors a worker keeps windows of; one more is a dead letter.")
    max_bytes: int = Field(2 << 30, ge=1, description="Memory that windows may hold.")


class AggregateSettings(Section):
    """What `vss worker aggregate` keeps and where."""

    sensor_every_s: tuple[int, ...] = Field((10, 60), description="Spans of a sensor's aggregates, seconds.")
    camera_every_s: tuple[int, ...] = Field((60,), description="Spans of a camera's aggregates, seconds.")
    grace_ms: int = Field(5000, ge=0, description="How long a span waits for records that come out of order.")
    silence_ms: int = Field(
        60_000,
        ge=1,
        description="A source that is silent for this long has its open spans closed; its neighbours' time counts.",
    )
    store: Literal["memory", "rocksdb"] = Field(
        "memory", description="Where tables are kept on this machine; both are restored from Kafka."
    )
    data: Path = Field(Path("~/.cache/vss-fleet/aggregates"), description="Folder for tables in RocksDB.")


class QualitySettings(Section):
    """When `vss worker quality` calls a sensor's or camera's input bad."""

    ranges: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="Physical range by feature, `pressure = [0, 16]`, or by sensors and feature, `pump-*:pressure`.",
    )
    stuck_after_s: float = Field(600.0, gt=0, description="A value that does not change for this long is stuck.")
    stuck_readings: int = Field(10, ge=2, description="And in this many readings at least.")
    silent_intervals: float = Field(
        10.0, gt=1, description="A source that sends nothing for this many of its usual intervals is silent."
    )
    silent_after_s: float = Field(5.0, gt=0, description="And for this long at least.")
    silent_unknown_s: float = Field(300.0, gt=0, description="The same before its usual interval is known.")
    forget_after_s: float = Field(
        86_400.0, gt=0, description="A source that is silent for this long is taken for removed; its state goes."
    )
    clock_jump_s: float = Field(60.0, gt=0, description="A sensor's clock that leaps by more than this has jumped.")
    frozen_after_s: float = Field(10.0, gt=0, description="A picture that does not change for this long is frozen.")
    blur_ratio: float = Field(
        0.25, gt=0, lt=1, description="A picture is blurred below this share of its camera's usual sharpness."
    )
    frames: int = Field(3, ge=1, description="Frames in a row that must show a problem.")


class LoopSettings(Section):
    """The loop every worker runs in."""

    group: str | None = Field(None, description="Consumer group; `{prefix}{step}` by default.")
    max_batch: int = Field(32, ge=1, le=4096, description="Records in a micro-batch.")
    max_batch_bytes: int = Field(32 << 20, ge=1, description="Bytes in a micro-batch.")
    max_wait_ms: float = Field(
        0.0, ge=0, description="How long a micro-batch may wait for more; 0 takes what is there."
    )
    batches_in_flight: int = Field(
        2, ge=1, le=16, description="Micro-batches under way, so that decoding overlaps inference."
    )
    max_age_ms: float | None = Field(
        None, gt=0, description="Records older than this are shed with a note; off by default."
    )
    stop_timeout_s: float = Field(2.5, gt=0, description="How long a stop waits for work under way.")
    start_at: Literal["earliest", "latest"] = Field("earliest", description="Where a group without commits starts.")


class Limits(Section):
    """The size of everything that comes from outside."""

    max_record_bytes: int = Field(8 << 20, ge=1, description="A larger record is a dead letter.")
    max_features: int = Field(1000, ge=1, description="A reading with more values is a dead letter.")
    max_reading_bytes: int = Field(64 << 10, ge=1, description="A larger reading is a dead letter.")
    earliest_reading: str = Field(
        "1990-01-01T00:00:00Z", description="A reading of before is a dead letter: its sensor's clock was never set."
    )
    max_ahead_ms: int = Field(
        3_600_000, ge=0, description="A reading further ahead of the record's own timestamp is a dead letter."
    )
    max_image_pixels: int = Field(
        50_000_000, ge=1, description="A larger image is a dead letter, refused before decoding."
    )


class Settings(BaseSettings):
    """All settings; each class below it is a table of `vss.toml`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER, extra="forbid", frozen=True
    )

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    model: ModelSettings = ModelSettings()
    loop: LoopSettings = LoopSettings()
    windows: WindowSettings = WindowSettings()
    aggregate: AggregateSettings = AggregateSettings()
    quality: QualitySettings = QualitySettings()
    limits: Limits = Limits()


def load_settings(
    config_file: Path | None = None, *, overrides: dict[str, Any] | None = None, local: dict[str, Any] | None = None
) -> Settings:
    """Merges all sources.

    Args:
        config_file: A TOML file that must exist; `vss.toml` in the working folder is read when it does.
        overrides: What flags say, nested as in the file; wins over everything.
        local: The addresses of a local fleet; everything wins over it.

    Raises:
        ConfigError: A file is missing or a value does not fit; names the setting and the nearest known one.
    """
    _refuse_unknown_tables(os.environ)
    if config_file is not None and not config_file.is_file():
        raise ConfigError(f"no such settings file: {config_file}", fix="name an existing file with --config")
    path = config_file if config_file is not None else DEFAULT_FILE

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            toml = TomlConfigSettingsSource(settings_cls, path)
            return init_settings, env_settings, toml, InitSettingsSource(settings_cls, _without_empty(local or {}))

    try:
        return Loaded(**(overrides or {}))
    except ValidationError as error:
        raise _explained(error) from error
    except (OSError, ValueError) as error:  # the file cannot be read, or the TOML or JSON itself does not parse
        raise ConfigError(f"settings cannot be read: {error}", fix=f"correct {path} or the VSS_ variables") from error


def _explained(error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return ConfigError(f"setting {name}: {first['msg']}", fix=f"give {name} a fitting value")
    known = known_settings() if "." in name else list(Settings.model_fields)
    return ConfigError(f"unknown setting {name}", fix=f"did you mean {_nearest(name, known)}?")


def _refuse_unknown_tables(environ: Mapping[str, str]) -> None:
    """Pydantic passes over a variable whose table it does not know, and with it over a typing error."""
    for variable in environ:
        table, separator, _ = variable.upper().removeprefix(ENV_PREFIX).partition(ENV_DELIMITER)
        if not variable.upper().startswith(ENV_PREFIX) or not separator or table.lower() in Settings.model_fields:
            continue
        near = _nearest(
            variable, [f"{ENV_PREFIX}{name.replace('.', ENV_DELIMITER)}".upper() for name in known_settings()]
        )
        raise ConfigError(f"unknown variable {variable}", fix=f"did you mean {near}?")


def _nearest(name: str, known: list[str]) -> str:
    return difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]


def _without_empty(tables: dict[str, Any]) -> dict[str, Any]:
    """Leaves out the address of a server that does not run, so that it hides no default."""
    return {table: {name: value for name, value in values.items() if value} for table, values in tables.items()}


def _flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    nested: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    for name, value in tables.items():
        if isinstance(value, Mapping):
            nested |= _flat(value, f"{prefix}{name}.")
        else:
            plain[f"{prefix}{name}"] = value
    return nested | plain


def known_settings() -> list[str]:
    """The dotted name of every setting."""
    return [
        f"{table}.{name}"
        for table, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for name in field.annotation.model_fields
    ]
