"""A live installation for tests: its own topics on a broker, worker processes, and what they left in Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from stillwatch_models.shard import Batch, Shard
from stillwatch_streams.checkpoint_image import Recovery, recover
from stillwatch_streams.checkpoints import LogRecord
from stillwatch_streams.ingest import ingest_for
from stillwatch_streams.kafka_admin import admin_client, create_topics
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.server_process import free_port
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.topic_names import TopicNames
from support.brokers import Broker
from support.kafka_io import Received, read_all, unique

COUNTING_WORKER = str(Path(__file__).with_name("counting_worker.py"))
PATIENCE_SECONDS = 90.0


class Live:
    """One installation: prefix, consumer group, data directory, settings."""

    def __init__(self, broker: Broker, folder: Path, **overrides: str) -> None:
        self.broker = broker
        name = unique("t")
        quick = broker.kind == "embedded"
        self.env = {
            "STILLWATCH_BROKER__BOOTSTRAP": broker.bootstrap,
            "STILLWATCH_SERVICE__APP_ID": name,
            "STILLWATCH_SERVICE__TOPIC_PREFIX": f"{name}.",
            "STILLWATCH_SERVICE__DATADIR": str(folder / name),
            "STILLWATCH_SERVICE__SESSION_TIMEOUT_SECONDS": "2" if quick else "6",
            "STILLWATCH_SERVICE__CHECKPOINT_INTERVAL_SECONDS": "0.3",
            "STILLWATCH_SERVICE__HTTP_PORT": str(free_port()),
            "STILLWATCH_SOURCE__ALLOWED_SKEW_SECONDS": "600",
            "STILLWATCH_SOURCE__PARTITIONS": "2",
            "STILLWATCH_LOGGING__FORMAT": "json",
        } | overrides
        self.settings: Settings = load_settings(env=self.env)
        self.names = TopicNames(self.settings)
        self.log = folder / f"{name}.log"

    async def create_topics(self) -> Self:
        """Make the installation's topics."""
        async with admin_client(client_options(self.settings.broker)) as admin:
            await create_topics(admin, self.settings)
        return self

    def worker(self, *arguments: str, program: str = COUNTING_WORKER) -> Worker:
        """A worker process, not started yet."""
        return Worker(self, program, arguments)

    async def read(self, topic: str) -> list[Received]:
        """Everything in a topic."""
        return await read_all(self.broker.bootstrap, topic)

    async def recovered(self, agent: str = "account") -> list[Recovery]:
        """The last checkpoint of each partition, as a new worker would find it."""
        records = await self.read(self.names.checkpoints(agent))
        return [
            recover([LogRecord(r.key or b"", r.value) for r in records if r.partition == p], generation=0)
            for p in range(self.settings.source.partitions)
        ]

    async def clean_run(self, make_shard: Callable[[int], Shard[Any]]) -> CleanRun:
        """What a worker that never fails makes of the request topic: shards driven in this process."""
        records = await self.read(self.names.requests)
        return CleanRun(self.settings, records, make_shard)

    async def caught_up(self, wanted: CleanRun, agent: str = "account") -> list[Recovery]:
        """Wait until the checkpoints cover what the clean run covers."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = await self.recovered(agent)
            offsets = [recovery.marker.next_offset if recovery.marker else -1 for recovery in found]
            if offsets == wanted.next_offsets:
                return found
            assert time.monotonic() < deadline, f"offsets {offsets}, wanted {wanted.next_offsets}\n{self.log_tail()}"
            await asyncio.sleep(0.3)

    def log_tail(self, length: int = 4_000) -> str:
        """The end of the workers' log, for failures."""
        return self.log.read_text()[-length:] if self.log.exists() else "no log"


class CleanRun:
    """Shards fed with the whole topic at once, without any crash."""

    def __init__(self, settings: Settings, records: list[Received], make_shard: Callable[[int], Shard[Any]]) -> None:
        self.shards: list[Shard[Any]] = []
        self.alert_uids: set[str] = set()
        self.dead: dict[tuple[int, int], str] = {}
        decode = ingest_for(settings.source, has_broker_time=True).decode
        for partition in range(settings.source.partitions):
            shard = make_shard(partition)
            mine = [_Record(record) for record in records if record.partition == partition]
            batch, dead = decode(mine) if mine else (Batch([], [], 0), [])
            outputs = shard.process(batch)
            self.alert_uids |= {finding.alert_uid for finding in outputs.findings}
            self.dead |= {(partition, letter.record.offset): letter.code for letter in dead}
            self.shards.append(shard)
        self.snapshots = [shard.snapshot() for shard in self.shards]
        checkpoints = [shard.checkpoint() for shard in self.shards]
        self.next_offsets = [checkpoint.next_offset if checkpoint else 0 for checkpoint in checkpoints]


class _Record:
    """A received record under the names that ingest reads."""

    def __init__(self, received: Received) -> None:
        self.offset, self.timestamp = received.offset, received.timestamp_ms
        self.key, self.value, self.headers = received.key, received.value, received.headers


class Worker:
    """One worker process."""

    def __init__(self, live: Live, program: str, arguments: tuple[str, ...]) -> None:
        self.live = live
        self._command = [sys.executable, program, *arguments]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def start(self) -> Self:
        """Start; its log is appended to the installation's."""
        with self.live.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=os.environ | self.live.env, stderr=log, stdout=log)
        return self

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout_seconds: float = 30.0) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_seconds)

    async def exit_code(self, timeout_seconds: float = 60.0) -> int:
        """Wait until it ends by itself."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, timeout_seconds)

    async def ready(self) -> None:
        """Wait until /readyz says so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (await self.get("/readyz"))[0] != 200:
            assert self.process is not None
            assert self.process.poll() is None, f"the worker ended: {self.live.log_tail()}"
            assert time.monotonic() < deadline, f"never ready: {self.live.log_tail()}"
            await asyncio.sleep(0.1)

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of one of the worker's own pages; 0 while nobody listens."""
        url = f"http://127.0.0.1:{self.live.settings.service.http_port}{path}"
        return await asyncio.to_thread(_get, url)

    async def metric(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """Sum of a metric's samples that carry these labels; 0 where there are none."""
        _, body = await self.get("/metrics")
        wanted = [f'{key}="{value}"' for key, value in (labels or {}).items()]
        lines = [line for line in body.splitlines() if line.startswith((name + "{", name + " "))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(part in line for part in wanted))


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback, our own worker
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def alert_uids(records: list[Received]) -> list[str]:
    """Alert ids in the alerts topic, with repetitions."""
    return [json.loads(record.value or b"{}")["metadata"]["uid"] for record in records]
