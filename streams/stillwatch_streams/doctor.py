"""`stillwatch doctor`: looks at everything a worker needs, and says of each problem how to mend it."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from stillwatch_schemas.errors import BrokerError, StillwatchError
from stillwatch_schemas.signing import key_id, load_private_key
from stillwatch_schemas.sketch.hashing import subkey

from stillwatch_streams.ingest import sketch_key
from stillwatch_streams.kafka_admin import admin_client, topic_states
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import flatten
from stillwatch_streams.topic_names import TopicNames

MOST_SKEW_SECONDS = 30.0
"""A host clock further from the broker's than this is a problem."""
PROBE_KEY = b"stillwatch-doctor"
MAKE_KEY = "make a key: openssl genpkey -algorithm ed25519 -out policy.pem && chmod 600 policy.pem"

Outcome = Literal["ok", "problem", "skipped"]


class Finding(msgspec.Struct, frozen=True):
    """The outcome of one check."""

    check: str
    outcome: Outcome
    detail: str
    mend: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Run every check; those that need a broker are skipped without one."""
    found = [_signing_key(settings), _sketch_key(settings), _datadir(settings), _http(settings)]
    broker = await _guarded("broker", lambda: _broker(settings), "check that the broker allows Describe on the cluster")
    found.append(broker)
    if broker.outcome != "ok":
        return [*found, *(Finding(name, "skipped", "no broker") for name in ("topics", "permissions", "clock"))]
    found += await _topics(settings)
    if not any(finding.check.startswith("topic ") and "doesn't exist" in finding.detail for finding in found):
        found += await _permissions(settings)
        grant = "grant Write on the topic"
        found.append(await _guarded("clock", lambda: _clock(settings), grant))
    return found


def shown_settings(settings: Settings) -> dict[str, str]:
    """Every setting, secrets masked."""
    return dict(flatten(settings))


async def _guarded(name: str, check: Callable[[], Awaitable[Finding]], mend: str) -> Finding:
    try:
        return await check()
    except BrokerError as error:
        what, _, way_out = str(error).partition(". ")
        return Finding(name, "problem", what, way_out.rstrip(".") or mend)
    except (StillwatchError, KafkaError, OSError) as error:
        return Finding(name, "problem", str(error) or repr(error), mend)


def _signing_key(settings: Settings) -> Finding:
    path = settings.enforcement.signing_key_path
    if not path:
        enforcing = settings.engine.policy.mode == "enforce"
        detail = "none, so directives are published unsigned" + ("" if enforcing else ": enough in shadow mode")
        mend = f"{MAKE_KEY}, and set enforcement.signing_key_path; serving nodes obey nothing unsigned"
        return Finding("signing key", "problem" if enforcing else "ok", detail, mend if enforcing else "")
    try:
        return Finding("signing key", "ok", f"Ed25519 key {key_id(load_private_key(Path(path)))}")
    except StillwatchError as error:
        return Finding("signing key", "problem", str(error), MAKE_KEY)


def _sketch_key(settings: Settings) -> Finding:
    try:
        subkey(sketch_key(settings.source), b"doctor")
    except StillwatchError as error:
        what, _, way_out = str(error).partition(". ")
        return Finding("sketch key", "problem", what, way_out.rstrip("."))
    own = "yours; emitters that sketch must have the same" if settings.source.sketch_key else "the public one"
    return Finding("sketch key", "ok", own)


def _datadir(settings: Settings) -> Finding:
    folder = Path(settings.service.datadir)
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if os.access(nearest, os.W_OK):
        return Finding("data directory", "ok", f"{folder} can be written")
    return Finding("data directory", "problem", f"{nearest} can't be written", "set service.datadir elsewhere")


def _http(settings: Settings) -> Finding:
    host = settings.service.http_host
    local = host in ("127.0.0.1", "localhost", "::1")
    where = f"http://{host}:{settings.service.http_port}"
    return Finding("health endpoints", "ok", where + ("" if local else " (open to the network, no authentication)"))


async def _broker(settings: Settings) -> Finding:
    async with admin_client(client_options(settings.broker)) as admin:
        cluster = await admin.describe_cluster()
        count = len(cluster["brokers"])
    return Finding("broker", "ok", f"{_counted(count, 'broker')} at {settings.broker.bootstrap}")


async def _topics(settings: Settings) -> list[Finding]:
    async with admin_client(client_options(settings.broker)) as admin:
        states = await topic_states(admin, settings)
    found = []
    for state in states:
        name = f"topic {state.topic.name}"
        if not state.problems:
            found.append(Finding(name, "ok", _counted(state.partitions, "partition")))
        for problem in state.problems:
            detail, _, mend = problem.partition(": ")
            found.append(Finding(name, "problem", detail, mend))
    return found


async def _permissions(settings: Settings) -> list[Finding]:
    """May we read what we read, and join the group? Writing is asked by the clock check."""
    names = TopicNames(settings)
    options = client_options(settings.broker)
    found = []
    for topic in (names.requests, names.signals, names.alerts, names.verdicts):
        mend = f"grant Read and Describe on topic {topic} and Read on group {settings.service.app_id}"
        check = partial(_readable, options, topic, settings)
        found.append(await _guarded(f"read {topic}", check, mend))
    return found


async def _readable(options: dict[str, Any], topic: str, settings: Settings) -> Finding:
    consumer = AIOKafkaConsumer(**options, group_id=settings.service.app_id, enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        committed = await consumer.committed(place)
        await consumer.beginning_offsets([place])
    finally:
        await consumer.stop()
    where = "not read yet" if committed is None else f"committed at {committed}"
    return Finding(f"read {topic}", "ok", f"allowed; partition 0 {where}")


async def _clock(settings: Settings) -> Finding:
    """Write one tombstone to a compacted topic of ours and compare the broker's time for it with our own.

    The broker only stamps records where `message.timestamp.type` is LogAppendTime; else the answer repeats our own.
    """
    topic = TopicNames(settings).checkpoints("policy")
    producer = AIOKafkaProducer(**client_options(settings.broker), acks="all")
    await producer.start()
    try:
        before = time.time()
        sent = await producer.send_and_wait(topic, value=None, key=PROBE_KEY, partition=0)
        after = time.time()
    except TopicAuthorizationFailedError:
        return Finding("clock", "problem", f"writing {topic} is not allowed", f"grant Write on topic {topic}")
    finally:
        await producer.stop()
    if sent.timestamp_type != 1:
        return Finding("clock", "ok", "the broker keeps the producers' timestamps; compare clocks by NTP")
    skew = sent.timestamp / 1000 - (before + after) / 2
    detail = f"this host is {-skew:+.1f} s from the broker's clock"
    if abs(skew) <= MOST_SKEW_SECONDS:
        return Finding("clock", "ok", detail)
    return Finding("clock", "problem", detail, "synchronise both by NTP, or good events will look forged")


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
