"""One installation on a Kafka node: its topics, records written in bulk, and a real `stillwatch worker` process."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic
from stillwatch_schemas.events import HEARTBEAT_HEADER
from stillwatch_streams.kafka_admin import admin_client
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.partitioning import Partitioner
from stillwatch_streams.server_process import free_port
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.topic_names import TopicNames
from support.kafka_io import unique

from live.traffic import HOUR_MS

PATIENCE_SECONDS = 600.0
POLL_SECONDS = 0.25
BATCH_BYTES = 900_000

Entry = tuple[bytes, bytes, int]
"""Key, value, record timestamp in ms."""


class Broker(Protocol):
    """What an installation needs of its broker."""

    @property
    def bootstrap(self) -> str:
        """`host:port`."""


class Installation:
    """Topics under a prefix of their own; every setting not named is the default."""

    def __init__(self, node: Broker, folder: Path, **settings: str) -> None:
        name = unique("bench")
        self.env = {
            "STILLWATCH_BROKER__BOOTSTRAP": node.bootstrap,
            "STILLWATCH_SERVICE__APP_ID": name,
            "STILLWATCH_SERVICE__TOPIC_PREFIX": f"{name}.",
            "STILLWATCH_SERVICE__DATADIR": str(folder / name),
            "STILLWATCH_SERVICE__HTTP_PORT": str(free_port()),
            "STILLWATCH_LOGGING__FORMAT": "json",
        } | {f"STILLWATCH_{key.upper()}": value for key, value in settings.items()}
        self.settings = load_settings(env=self.env)
        self.names = TopicNames(self.settings)
        self.bootstrap = node.bootstrap
        self.log = folder / f"{name}.log"
        self.partitions = self.settings.source.partitions

    def for_another_worker(self) -> Self:
        """The same installation with a port and a data folder of its own."""
        other = copy.copy(self)
        other.env = self.env | {
            "STILLWATCH_SERVICE__DATADIR": self.env["STILLWATCH_SERVICE__DATADIR"] + "-2",
            "STILLWATCH_SERVICE__HTTP_PORT": str(free_port()),
        }
        other.settings = load_settings(env=other.env)
        return other

    async def create(self, *, broker_time: bool = False) -> Self:
        """Make the topics; records of the past stay. With `broker_time` the broker stamps what it appends."""
        more = {"message.timestamp.type": "LogAppendTime"} if broker_time else {"retention.ms": "-1"}
        async with admin_client(client_options(self.settings.broker)) as admin:
            wanted = [
                NewTopic(
                    topic.name, self.partitions if topic.co_partitioned else 1, 1, topic_configs=topic.config() | more
                )
                for topic in self.names.table()
            ]
            answer = await admin.create_topics(wanted)
        refused = [error for error in answer.topic_errors if error[1]]
        if refused:
            raise RuntimeError(f"the broker refused {refused}")
        await until_led(self.bootstrap, self.names.requests)
        return self

    async def fill(self, entries: Iterable[Entry]) -> int:
        """Write the entries in order, and then word that an hour has passed, so that every pane ends; the count."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", max_batch_size=BATCH_BYTES)
        partitioner = Partitioner(self.partitions)
        await producer.start()
        count, last = 0, 0
        try:
            batches = [producer.create_batch() for _ in range(self.partitions)]
            for key, value, ts in entries:
                at = partitioner.of(key.decode())
                if batches[at].append(key=key, value=value, timestamp=ts) is None:
                    await self._send(producer, batches[at], at)
                    batches[at] = producer.create_batch()
                    batches[at].append(key=key, value=value, timestamp=ts)
                count, last = count + 1, max(last, ts)
            for at, batch in enumerate(batches):
                await self._send(producer, batch, at)
                await self._beat(producer, at, last + HOUR_MS)
        finally:
            await producer.stop()
        return count + self.partitions

    async def _send(self, producer: Any, batch: Any, partition: int) -> None:
        batch.close()
        await (await producer.send_batch(batch, self.names.requests, partition=partition))

    async def _beat(self, producer: Any, partition: int, ts: int) -> None:
        headers = [(HEARTBEAT_HEADER, str(ts).encode())]
        await producer.send_and_wait(self.names.requests, b"", partition=partition, timestamp_ms=ts, headers=headers)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker has used so far."""

    at: float
    """Monotonic seconds."""
    cpu_seconds: float
    peak_rss_mib: float


class Worker:
    """`stillwatch worker`: the supervisor and its child, measured together."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._process: subprocess.Popen[bytes] | None = None
        self.began = 0.0

    async def __aenter__(self) -> Self:
        installation = self._installation
        with installation.log.open("ab") as log:
            self.began = time.monotonic()
            self._process = await asyncio.to_thread(
                subprocess.Popen,
                [sys.executable, "-m", "stillwatch_agents", "worker"],
                env=os.environ | installation.env,
                stdout=log,
                stderr=log,
            )
        await self.until("answering", bool)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """SIGTERM; returns when both processes are gone."""
        if self._process is None:
            return
        children = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(60)
        self._process = None
        psutil.wait_procs(children, timeout=10)
        if code:
            raise RuntimeError(f"the worker ended with {code}: {self._installation.log.read_text()[-2000:]}")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Its processes stand still, as on a machine without processor time."""
        processes = self._processes()
        for one in processes:
            one.suspend()
        try:
            yield
        finally:
            for one in processes:
                one.resume()

    def reading(self) -> Reading:
        """Processor time and peak memory until now."""
        cpu, peak = 0.0, 0.0
        for one in self._processes():
            times = one.cpu_times()
            cpu += times.user + times.system
            peak = max(peak, _peak_rss_mib(one.pid))
        return Reading(at=time.monotonic(), cpu_seconds=cpu, peak_rss_mib=peak)

    def _processes(self) -> list[psutil.Process]:
        """The supervisor and what it started."""
        if self._process is None:
            raise RuntimeError("the worker does not run")
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    async def until_assigned(self, partitions: int) -> None:
        """Wait until the account agent holds exactly so many partitions."""
        await self.until(f"{partitions} partitions", lambda found: held(found) == partitions)

    async def until_read(self, records: int) -> Reading:
        """Wait until the account agent has processed so many records."""
        await self.until(f"{records} records", lambda found: total(found, "events_total", agent="account") >= records)
        return self.reading()

    async def until_quiet(self) -> dict[str, float]:
        """Wait until no agent lags, three times in a row; the last metrics."""
        calm = 0
        while True:
            found = await self.until("no lag", lambda found: total(found, "lag_records") == 0)
            calm += 1
            if calm == 3:  # noqa: PLR2004 - as the docstring says
                return found
            await asyncio.sleep(2 * POLL_SECONDS)

    async def until(self, what: str, holds: Any) -> dict[str, float]:
        """Wait for a condition on the worker's metrics; they are asked for four times a second."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds(found := await self.metrics()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not in {PATIENCE_SECONDS} s: {what}; {self._installation.log.read_text()[-2000:]}")
            await asyncio.sleep(POLL_SECONDS)
        return found

    async def until_ready(self) -> None:
        """Wait until /readyz says so."""
        while not await self.get("/readyz"):  # noqa: ASYNC110 - another process can't set our events
            await asyncio.sleep(POLL_SECONDS)

    async def metrics(self) -> dict[str, float]:
        """Samples by name and labels; nothing while nobody answers."""
        return await metrics_of(self._installation)

    async def get(self, path: str) -> str:
        """Body of one of the worker's pages; empty when it has none to give."""
        return await page_of(self._installation, path)


async def until_led(bootstrap: str, topic: str) -> None:
    """Wait until a new topic's partition has a leader that answers."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        await consumer.end_offsets([TopicPartition(topic, 0)])
    finally:
        await consumer.stop()


async def page_of(installation: Installation, path: str) -> str:
    """Body of a page of the installation's worker; empty when it has none to give."""
    url = f"http://127.0.0.1:{installation.settings.service.http_port}{path}"
    return await asyncio.to_thread(_get, url)


async def metrics_of(installation: Installation) -> dict[str, float]:
    """Samples of the installation's worker by name and labels; nothing while nobody answers."""
    body = await page_of(installation, "/metrics")
    pairs = (line.rsplit(" ", 1) for line in body.splitlines() if line.startswith("stillwatch_"))
    return {name.removeprefix("stillwatch_"): float(value) for name, value in pairs}


def total(metrics: Mapping[str, float], name: str, /, **labels: str) -> float:
    """Sum of a metric over the labels not named."""
    parts = [f'{key}="{value}"' for key, value in labels.items()]
    return sum(
        value for key, value in metrics.items() if key.partition("{")[0] == name and all(p in key for p in parts)
    )


def held(metrics: Mapping[str, float]) -> int:
    """Partitions that the account agent holds."""
    return sum(key.startswith("lag_records{") and 'agent="account"' in key for key in metrics)


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - loopback, our own worker
            return str(answer.read().decode())
    except OSError:
        return ""


def _peak_rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)
