"""Drives one shard with the records of one partition, and acknowledges only what is durable.

    fetch → decode → dead letters → shard.process → outputs → acknowledged by the broker
                                                   every interval: checkpoint → acknowledged → offset committed

Whatever goes wrong ends the worker (`on_failure`); the supervisor starts a fresh one, which recovers. There is no
healing inside a process: a shard that may have lost step is never used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from stillwatch_models.shard import Batch, Outputs, Shard
from stillwatch_schemas.errors import StateError, StillwatchError

from stillwatch_streams.agent_spec import AgentSpec, Services, Start
from stillwatch_streams.crash_notes import RecordFailure
from stillwatch_streams.ingest import DeadLetter, Record
from stillwatch_streams.logs import get_logger
from stillwatch_streams.set_aside import SetAside
from stillwatch_streams.transport import Fetch

T = TypeVar("T")
QUEUED_FETCHES = 2

log = get_logger(__name__)


class FencedError(StillwatchError):
    """The consumer group has given this partition to another worker."""


class OutOfStepError(StillwatchError):
    """Records went missing between fetch and shard; starting again from the checkpoint cures it."""


class PartitionRunner(Generic[T]):
    """One partition, one shard, one task."""

    def __init__(
        self, topic: str, partition: int, *, shard: Shard[T], spec: AgentSpec, start: Start, services: Services
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = start.offset
        """Offset after the last processed record."""
        self.progressed = time.monotonic()
        """When a fetch was last processed or a checkpoint last succeeded (for /readyz)."""
        self.checkpointed = time.monotonic()
        self._shard = shard
        self._spec = spec
        self._services = services
        self._log = start.log
        self._aside = SetAside(topic, partition, start, services)
        self._session = -1
        self._queue: asyncio.Queue[Fetch | None] = asyncio.Queue(QUEUED_FETCHES)
        self._task: asyncio.Task[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        """The last of the outputs that are being written; it waits for those before it."""
        self._revoked = asyncio.Event()
        self._fenced = False
        self._due = time.monotonic() + services.checkpoint_seconds
        self._expire_due = time.monotonic() + services.expire_seconds

    @property
    def agent(self) -> str:
        """account, group, campaign, policy or feedback."""
        return self._spec.name

    def gauges(self) -> Mapping[str, int]:
        """What the shard counts itself."""
        return self._spec.gauges(self._shard)

    def start(self, session: int) -> int:
        """Begin; returns the offset to read from. Fetches of another session are ignored."""
        self._session = session
        self._task = asyncio.create_task(self._run(), name=f"{self._services.agent}-{self.partition}")
        return self.offset

    async def feed(self, fetch: Fetch) -> None:
        """Take a fetch; waits while the partition is busy."""
        if fetch.session == self._session and not self._revoked.is_set():
            await self._queue.put(fetch)

    async def close(self) -> None:
        """Finish the fetch at hand, checkpoint, and stop: the partition goes elsewhere or the worker ends."""
        self._revoked.set()
        while not self._queue.empty():  # not processed, so it will be read again
            self._queue.get_nowait()
        self._queue.put_nowait(None)
        if self._task is not None:
            await self._task
        if self._task is not None and not self._fenced:
            with contextlib.suppress(FencedError):
                await self._checkpoint()

    async def _run(self) -> None:
        try:
            while (fetch := await self._next()) is not None:
                if fetch.records:
                    await self._process(fetch)
                await self._housekeeping()
        except FencedError:
            await self._wait_for_rebalance()
        except Exception as error:  # noqa: BLE001 - everything ends the worker, that is the rule
            self._services.on_failure(error)

    async def _next(self) -> Fetch | None:
        """The next fetch, an empty one when housekeeping is due, None to stop."""
        wait = max(
            0.0, min(self._due, self._expire_due if self._services.expire_seconds else self._due) - time.monotonic()
        )
        try:
            return await asyncio.wait_for(self._queue.get(), wait)
        except TimeoutError:
            return Fetch(self.topic, self.partition, self._session, self.offset, [], 0)

    async def _housekeeping(self) -> None:
        now = time.monotonic()
        if self._services.expire_seconds and now >= self._expire_due:
            self._expire_due = now + self._services.expire_seconds
            await self._publish(self._shard.expire(time.time_ns() // 1_000_000))
        if now >= self._due:
            await self._checkpoint()
            self._due = time.monotonic() + self._services.checkpoint_seconds

    async def _process(self, fetch: Fetch) -> None:
        self._gate(fetch)
        began = time.perf_counter()
        for records, next_offset in self._portions(fetch):
            await self._portion(records, next_offset)
            await asyncio.sleep(0)  # the other agents' turn: what has no outputs waits for nothing
        self.offset = fetch.next_offset
        self.progressed = time.monotonic()
        metrics, agent = self._services.metrics, self._services.agent
        metrics.fetches.labels(agent).inc()
        metrics.batch_seconds.labels(agent).observe(time.perf_counter() - began)
        metrics.latency_seconds.labels(agent).observe(max(0.0, time.time() - fetch.records[-1].timestamp / 1000))

    def _gate(self, fetch: Fetch) -> None:
        """No record may be missing between two fetches; go on only where retention is to blame and that is allowed."""
        if fetch.base != self.offset:
            raise OutOfStepError(
                f"{self.topic}, partition {self.partition}: expected offset {self.offset}, was given {fetch.base};"
                " records were lost between fetch and agent. The worker starts again from its checkpoint."
            )
        if not fetch.lost:
            return
        if not self._services.skip_lost:
            raise StateError(
                f"{self.topic}, partition {self.partition}: {fetch.lost} records from offset {fetch.base} on were"
                " deleted by retention before they were read. Keep records longer, or go on without them:"
                ' source.on_lost_records = "skip".'
            )
        self._services.metrics.lost_records.labels(self._services.agent).inc(fetch.lost)
        log.warning("records_lost", topic=self.topic, partition=self.partition, offset=fetch.base, count=fetch.lost)

    def _portions(self, fetch: Fetch) -> list[tuple[list[Any], int]]:
        """The fetch in parts, or in single records where an earlier worker failed on some of it."""
        size = 1 if self._aside.under_suspicion(fetch.records) else self._spec.at_once
        parts = [fetch.records[at : at + size] for at in range(0, len(fetch.records), size)]
        return [*((part, part[-1].offset + 1) for part in parts[:-1]), (parts[-1], fetch.next_offset)]

    async def _portion(self, records: list[Any], next_offset: int) -> None:
        batch, dead = self._decoded(records, next_offset)
        await self._aside.bury(dead)
        parts = self._processed(batch, records)
        await self._publish(next(parts))
        for outputs in parts:
            self._sending = asyncio.create_task(self._publish_after(self._sending, outputs))
            await asyncio.sleep(0)
        self._services.metrics.events.labels(self._services.agent).inc(len(batch.items))

    def _decoded(self, records: list[Any], next_offset: int) -> tuple[Batch[Any], list[DeadLetter]]:
        good, poison = self._aside.split(records)
        with self._blaming(records):
            batch, dead = self._spec.decode(good) if good else (Batch([], [], next_offset), [])
        if batch.next_offset != next_offset:
            batch = msgspec.structs.replace(batch, next_offset=next_offset)
        return batch, dead + poison

    def _processed(self, batch: Batch[Any], records: Sequence[Record]) -> Iterator[Outputs]:
        with self._blaming(records):
            yield from self._spec.steps(self._shard, batch)

    @contextlib.contextmanager
    def _blaming(self, records: Sequence[Record]) -> Iterator[None]:
        """Say which records were being worked on when something failed."""
        try:
            yield
        except Exception as error:
            raise RecordFailure(self.topic, self.partition, records[0].offset, records[-1].offset) from error

    async def _publish(self, outputs: Outputs) -> None:
        messages = self._services.router.messages(outputs)
        if not messages:
            return
        await self._services.publisher.send(messages)
        for kind, count in self._services.router.counts(outputs):
            if count:
                self._services.metrics.published.labels(self._services.agent, kind).inc(count)

    async def _publish_after(self, before: asyncio.Task[None] | None, outputs: Outputs) -> None:
        if before is not None:
            await before
        await self._publish(outputs)

    async def _checkpoint(self) -> None:
        """Make everything up to here durable. FencedError when the partition is no longer ours."""
        began = time.perf_counter()
        if self._sending is not None:
            await self._sending
            self._sending = None
        checkpoint = self._shard.checkpoint()
        if checkpoint is not None:
            position = self._aside.position(checkpoint.next_offset, self.offset)
            plan = self._log.plan(checkpoint, position)
            written = await self._services.store.write(self.partition, plan)
            if not await self._services.commit(self.topic, self.partition, position.next_offset):
                self._fenced = True
                raise FencedError(f"{self.topic}, partition {self.partition} belongs to another worker now")
            self._log.committed(plan)
            self._aside.passed(position)
            self._measure(began, written, len(plan.rows))
        self.checkpointed = time.monotonic()
        self._services.metrics.checkpoint_time.labels(self._services.agent, str(self.partition)).set(time.time())

    def _measure(self, began: float, written: int, rows: int) -> None:
        metrics, agent = self._services.metrics, self._services.agent
        metrics.checkpoint_seconds.labels(agent).observe(time.perf_counter() - began)
        metrics.checkpoint_bytes.labels(agent).inc(written)
        metrics.checkpoint_rows.labels(agent).inc(rows)

    async def _wait_for_rebalance(self) -> None:
        """The group refused our commit, so a rebalance must follow; without one something is broken."""
        self._fenced = True
        log.warning("fenced", topic=self.topic, partition=self.partition)
        try:
            await asyncio.wait_for(self._revoked.wait(), self._services.fence_seconds)
        except TimeoutError:
            self._services.on_failure(FencedError("offset commits are refused, yet no rebalance came"))
