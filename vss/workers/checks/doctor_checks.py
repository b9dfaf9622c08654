"""What a fleet needs of its cluster, its Redis, its runtime and its folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from vss.config import Settings
from vss.errors import ConfigError, StreamError
from vss.model_store.backends.onnx import usable_providers
from vss.model_store.resolve import resolve_model
from vss.schemas.topics import CATALOGUE, Role
from vss.streams.hand_over import read_hand_over
from vss.streams.open_transactions import OpenTransaction, overdue_transactions
from vss.streams.topic_admin import TopicAdmin
from vss.workers.checks.doctor import Check, Doubt
from vss.workers.redis_view.link import address, connect, translated
from vss.workers.service import consumer_group

_LITTLE_BYTES = 1 << 30
_STEPS = ("detect", "classify", "anomaly", "forecast", "cache")


def fleet_checks(settings: Settings, *, folder: Path, model: str | None, local: bool = False) -> list[Check]:
    """The checks in the order they are of use: what a later one needs comes first.

    Args:
        settings: The cluster, Redis and the model's device.
        folder: Where the local fleet keeps its data.
        model: A model to load, as `vss worker detect --model` takes it.
        local: Whether the broker is the one that `vss up` started in `folder`.
    """
    checks = [
        Check("broker", lambda: _broker(settings)),
        Check("topics", lambda: _topics(settings), needs="broker"),
        Check("hand-over", lambda: _hand_over(settings), needs="broker"),
        Check("transactions", lambda: _transactions(settings, folder if local else None), needs="broker"),
        Check("redis", lambda: _redis(settings)),
        Check("onnxruntime", lambda: ", ".join(usable_providers(settings.model.device))),
        Check("folder", lambda: _folder(folder)),
    ]
    if model is not None:
        checks.append(Check("model", lambda: _model(settings, model), needs="onnxruntime"))
    return checks


def _broker(settings: Settings) -> str:
    with TopicAdmin(settings.kafka) as admin:
        brokers = admin.brokers()
    return f"{brokers} at {settings.kafka.bootstrap_servers}"


def _topics(settings: Settings) -> str:
    with TopicAdmin(settings.kafka) as admin:
        states = admin.describe()
    if missing := [state.name for state in states if state.existing is None]:
        raise ConfigError(f"missing: {', '.join(missing)}", fix="vss topics create")
    drifts = [(state, drift) for state in states for drift in state.drift]
    if drifts:
        text = "; ".join(f"{s.name}: {d.setting} is {d.found}, not {d.wanted}: {d.harm}" for s, d in drifts)
        raise ConfigError(text, fix="; ".join(dict.fromkeys(drift.fix for _, drift in drifts)))
    partitions = {state.topic.short: state.existing.partitions for state in states if state.existing is not None}
    return ", ".join(f"{name} {count}" for name, count in partitions.items()) + " partitions"


def _hand_over(settings: Settings) -> str:
    group = consumer_group(settings, "detect")
    found = read_hand_over(settings.kafka, group)
    if found.slow:
        raise Doubt(found.slow, fix=found.fix)
    if found.session_timeout_ms is None:
        raise Doubt("the cluster does not say how long a killed worker keeps its partitions", fix="ask who runs it")
    return f"a killed worker's partitions are served again after {found.session_timeout_ms / 1000:.0f} s"


def _transactions(settings: Settings, local_folder: Path | None) -> str:
    topics = [topic.name(settings.kafka.topic_prefix) for topic in CATALOGUE if topic.role is not Role.INPUT]
    groups = {consumer_group(settings, step) for step in _STEPS}
    overdue = overdue_transactions(settings.kafka, topics, groups=groups)
    if not overdue:
        return "none is open for too long"
    places = ", ".join(f"{at.partition.topic}[{at.partition.partition}] from offset {at.offset}" for at in overdue)
    raise StreamError(
        f"a transaction stays open past kafka.transaction_timeout_ms: {places}; nobody who reads only what is "
        "committed gets what is there or behind it: views stand still, `vss audit` times out or misses outcomes",
        fix=_end_of(overdue, settings.kafka.bootstrap_servers, local_folder),
    )


def _end_of(overdue: list[OpenTransaction], servers: str, local_folder: Path | None) -> str:
    commands = "; ".join(
        f"kafka-transactions.sh --bootstrap-server {servers} abort --topic {at.partition.topic} "
        f"--partition {at.partition.partition} --start-offset {at.offset}"
        for at in overdue
    )
    by_tool = f"where no producer that runs is still in it, abort it with Apache Kafka's own tool: {commands}"
    if local_folder is None:
        return by_tool
    return f"vss down, then vss up with another --folder than {local_folder}; to keep its records, {by_tool}"


def _redis(settings: Settings) -> str:
    client = connect(settings.redis)
    try:
        with translated(client):
            info = client.info()
    finally:
        client.close()
    limit, policy = info.get("maxmemory", 0), info.get("maxmemory_policy", "")
    text = f"{info.get('redis_version')} at {address(client)}"
    if limit and policy == "noeviction":
        raise Doubt(
            f"{text} stops taking results when {limit >> 20} MiB are full",
            fix="set maxmemory-policy to volatile-ttl, which lets go of the oldest results first",
        )
    return text


def _folder(folder: Path) -> str:
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise ConfigError(f"{existing} is no folder", fix="choose another with --folder or VSS_HOME")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(f"{existing} cannot be written", fix="choose another with --folder or VSS_HOME")
    free = shutil.disk_usage(existing).free
    if free < _LITTLE_BYTES:
        raise Doubt(f"{existing} has {free >> 20} MiB left", fix="free some disk, or choose another with --folder")
    return f"{folder} is writable, {free >> 30} GiB left"


def _model(settings: Settings, spec: str) -> str:
    from vss.model_store.runner.open import open_runner
    from vss.model_store.runner.runner import Runner

    runner = open_runner(resolve_model(spec, settings.model), settings.model)
    try:
        facts = [*runner.task.facts.values()]
        if isinstance(runner, Runner):
            width, height = runner.input_wh
            facts += [f"{width}x{height}", f"{len(runner.labels)} classes"]
        return f"{runner.name}@{runner.version}, {', '.join(facts)}, on {runner.providers[0]}"
    finally:
        runner.close()
