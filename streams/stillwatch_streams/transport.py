"""A Faust transport that hands each fetch of a partition to the agent as ONE event of raw records.

Faust keeps what it is good at (membership, assignment, flow control, shutdown). Three things differ from stock:

- no work per record: an event's value is a `Fetch`, so an agent sees thousands of records at once, just as the client's
  parser made them (`record_batches`);
- where reading starts is decided by us: `WorkerApp.resume_offsets` (from the checkpoints), not the committed offset;
- Faust's own acknowledgements stay unused: `commit_offsets` commits, and only what a checkpoint covers.

The gate: every `Fetch` says at which offset the one before it ended. Offsets that are missing inside the log (control
records of transactions) are told apart from records that retention deleted under us by asking for the log's start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import faust
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from stillwatch_schemas.errors import BrokerError, StateError

from stillwatch_streams.record_batches import hand_over_whole_batches

FAUST_LOGGER = logging.getLogger("faust")
"""Services log their own coming and going; that belongs with Faust's."""

IDLE_WAIT_SECONDS = 1.0
"""The longest wait for records of the partitions that were asked for."""
BUSY_WAIT_SECONDS = 0.01
"""The same while a busy agent's partition is left out: nothing would tell us that it has room again."""


class Fetch(NamedTuple):
    """The records of one partition from one fetch, in offset order."""

    topic: str
    partition: int
    session: int
    """Number of the seek that started this reading; fetches of an earlier session are stale."""
    base: int
    """The offset that was expected first."""
    records: list[Any]
    lost: int
    """Records deleted by retention before they could be read, directly before this fetch."""

    @property
    def next_offset(self) -> int:
        """Offset after the last record."""
        return int(self.records[-1].offset) + 1


class FetchSchema(Schema):  # type: ignore[misc]  # Faust publishes no usable types
    """Leaves the value alone: it already is a `Fetch`. Headers never reach Faust, so nobody can steer it by them."""

    def compile(self, app: Any, **_: Any) -> Any:
        """Return the decoder that Faust calls for every message."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001 - Faust's signature
            return app.create_event(None, message.value, {}, message)

        return decode


class FetchThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # as above
    """The consumer thread, with a short fetch wait and access to group offsets."""

    logger = FAUST_LOGGER

    async def on_start(self) -> None:
        """Connect; records come as whole batches."""
        await super().on_start()
        hand_over_whole_batches(self._consumer)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.app.fetch_wait_ms  # noqa: SLF001 - Faust hard-codes 1500
        return consumer

    async def committed(self, partitions: Iterable[TP]) -> dict[TP, int | None]:
        """The group's committed offset of each partition."""
        return dict(await self.call_thread(self._committed, list(partitions)))

    def membership_error(self) -> BaseException | None:
        """Why the consumer group won't have us; aiokafka keeps it until somebody asks for records."""
        coordinator = getattr(self._consumer, "_coordinator", None)
        task = getattr(coordinator, "_coordination_task", None)
        if task is not None and task.done() and not task.cancelled() and task.exception() is not None:
            error: BaseException = task.exception()
            return error
        pending: BaseException | None = getattr(coordinator, "_pending_exception", None)
        return pending

    async def _committed(self, partitions: list[TP]) -> dict[TP, int | None]:
        consumer = self._ensure_consumer()
        return {tp: await consumer.committed(tp) for tp in partitions}


class FetchConsumer(driver.Consumer):  # type: ignore[misc]  # as above
    """A consumer that delivers fetches."""

    logger = FAUST_LOGGER

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._session = 0
        self._expected: dict[TP, int] = {}
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> Any:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Start every assigned partition where its checkpoint says; Faust calls this after each rebalance."""
        self._session += 1
        offsets: Mapping[TP, int] = self.app.resume_offsets(self._session)
        self._expected = dict(offsets)
        if offsets:
            await self.seek_wait(dict(offsets))

    def failure(self) -> BaseException | None:
        """Why nothing will be fetched any more; None while all is well."""
        for service in (self, self._thread):
            if service.crashed:
                return service.crash_reason or BrokerError("The Kafka consumer stopped without a reason.")
        error = self._thread.membership_error()
        return error if error is None else BrokerError(f"Can't take part in the consumer group: {error!r}.")

    async def group_offsets(self, partitions: Iterable[TP]) -> dict[TP, int | None]:
        """Committed offsets of the consumer group."""
        committed: dict[TP, int | None] = await self._thread.committed(partitions)
        return committed

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit under our generation; False when the group has moved on without us."""
        committed: bool = await self._commit(offsets)
        return committed and not self.crashed

    async def _drain_messages(self, fetcher: Any) -> None:
        """Faust's fetch loop, by fetch instead of by record."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                await asyncio.sleep(0)
                if self._buffered_partitions and not self._get_active_partitions():
                    await asyncio.sleep(BUSY_WAIT_SECONDS)  # all agents are busy; Faust would sleep for a second
                    continue
                wait = BUSY_WAIT_SECONDS if self._buffered_partitions else IDLE_WAIT_SECONDS
                fetched, active = await self._wait_next_records(wait)
                if fetched and active is not None:
                    await self._deliver_all(fetched, active)
        except (asyncio.CancelledError, *self.consumer_stopped_errors):
            if not self.transport.app.should_stop:
                raise

    async def _deliver_all(self, fetched: Mapping[TP, list[Any]], active: set[TP]) -> None:
        session = self._session
        for tp, records in fetched.items():
            if not self.flow_active or session != self._session:
                return  # a rebalance: everything is read again from the checkpoints
            if records and (tp in active or tp in self._buffered_partitions) and tp in self._expected:
                await self._deliver(tp, records, session)

    async def _deliver(self, tp: TP, records: list[Any], session: int) -> None:
        base = self._expected[tp]
        lost = await self._lost_before(tp, base, records[0].offset)
        fetch = Fetch(tp.topic, tp.partition, session, base, records, lost)
        self._expected[tp] = fetch.next_offset
        self.app.on_fetch(tp, self.highwater(tp))
        await self.wait_first(self.callback(self._message(tp, fetch)), self.suspend_flow.wait())

    async def _lost_before(self, tp: TP, expected: int, found: int) -> int:
        """Records missing because retention deleted them; StateError when the log went backwards."""
        if found == expected:
            return 0
        if found < expected:
            raise StateError(
                f"{tp.topic}/{tp.partition} was expected at offset {expected} but continues at {found}: the topic was"
                " deleted and made anew. Start with empty state: stillwatch worker --reset-state."
            )
        earliest = (await self.earliest_offsets(tp))[tp]
        return max(0, min(found, int(earliest)) - expected)

    def _message(self, tp: TP, fetch: Fetch) -> Any:
        last = fetch.records[-1]
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type, [], None, fetch, None,
            0, 0, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip


class FetchTransport(driver.Transport):  # type: ignore[misc]  # as above
    """Faust's Kafka transport with our consumer."""

    Consumer = FetchConsumer


class FetchApp(faust.App):  # type: ignore[misc]  # as above
    """What the transport needs of its app; `app.WorkerApp` fills it in."""

    logger = FAUST_LOGGER
    fetch_wait_ms: int = 50

    def _new_transport(self) -> Any:
        return FetchTransport(self.conf.broker_consumer, self)

    def resume_offsets(self, session: int) -> Mapping[TP, int]:
        """Where each assigned partition continues."""
        raise NotImplementedError

    def on_fetch(self, tp: TP, end_offset: int | None) -> None:
        """A fetch of `tp` arrived; `end_offset` is where its log ended then."""
        raise NotImplementedError
