"""The Faust app: which partitions we have, where they continue, and who processes them.

Faust calls in this order: partitions revoked → (rebalance) → `recover_assigned` → `resume_offsets` → fetches. Recovery
happens before the flow resumes, so no record is read before its partition's state is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from faust.types import TP
from stillwatch_schemas.errors import BrokerError

from stillwatch_streams.agent_spec import AgentSpec, Services
from stillwatch_streams.kafka_options import faust_broker_urls, faust_credentials
from stillwatch_streams.logs import get_logger
from stillwatch_streams.metrics import Metrics
from stillwatch_streams.recovery import Claim, recover_partition
from stillwatch_streams.runner import PartitionRunner
from stillwatch_streams.settings import Settings
from stillwatch_streams.transport import Fetch, FetchApp, FetchSchema

log = get_logger(__name__)

QUEUED_FETCHES = 4
"""Fetches Faust holds for an agent before it stops asking for more."""


class WorkerApp(FetchApp):
    """A worker's consumer group membership and its partitions."""

    def __init__(self, settings: Settings, *, metrics: Metrics, on_failure: Callable[[BaseException], None]) -> None:
        self.settings = settings
        self.metrics = metrics
        self.on_failure = on_failure
        self.fetch_wait_ms = settings.service.fetch_wait_ms
        self.runners: dict[TP, PartitionRunner[Any]] = {}
        self.end_offsets: dict[TP, int] = {}
        self.recovering = True
        self.reset_state = False
        self._specs: dict[str, AgentSpec] = {}
        self._services: dict[str, Services] = {}
        super().__init__(settings.service.app_id, **_faust_settings(settings))
        self.on_rebalance_complete.connect(self._on_rebalance_complete, weak=False)
        self.on_partitions_revoked.connect(self._on_revoked, weak=False)

    def add_agent(self, spec: AgentSpec, services: Services) -> None:
        """Register an agent: its topic, its engine, and the function that Faust runs for it."""
        self._specs[spec.topic] = spec
        self._services[spec.topic] = services
        channel = self.topic(spec.topic, schema=FetchSchema(key_type=bytes, value_type=bytes, value_serializer="raw"))

        async def hand_on(stream: Any) -> None:
            """Never yields, so no record can ask for an answer; acknowledges nothing, checkpoints do."""
            async for event in stream.noack().events():
                await self._feed(event.value)

        self.agent(channel, name=f"stillwatch.{spec.name}")(hand_on)

    async def _feed(self, fetch: Fetch) -> None:
        """Give a fetch to its partition."""
        runner = self.runners.get(TP(fetch.topic, fetch.partition))
        if runner is not None:
            await runner.feed(fetch)

    def resume_offsets(self, session: int) -> Mapping[TP, int]:
        """Start the recovered partitions; where each continues."""
        return {tp: runner.start(session) for tp, runner in self.runners.items()}

    def on_fetch(self, tp: TP, end_offset: int | None) -> None:
        """Keep the end of the log for the lag."""
        if end_offset is not None:
            self.end_offsets[tp] = end_offset

    async def commit_offset(self, topic: str, partition: int, offset: int) -> bool:
        """Commit under our generation; False when the group refuses."""
        committed: bool = await self.consumer.commit_offsets({TP(topic, partition): offset})
        return committed

    async def close_partitions(self, partitions: Iterable[TP] | None = None) -> None:
        """Checkpoint and drop partitions (all by default)."""
        going = list(self.runners) if partitions is None else [tp for tp in partitions if tp in self.runners]
        closing = [self.runners.pop(tp) for tp in going]
        await asyncio.gather(*(runner.close() for runner in closing))
        for tp in going:
            self.end_offsets.pop(tp, None)
            self.metrics.forget(self._specs[tp.topic].name, tp.partition)

    async def _on_revoked(self, _app: Any, revoked: set[TP], **_: Any) -> None:
        self.recovering = True
        try:
            await self.close_partitions(revoked)
        except Exception as error:  # noqa: BLE001 - Faust would log it and go on with what we can't trust
            self.on_failure(error)

    async def _on_rebalance_complete(self, _app: Any, **_: Any) -> None:
        try:
            await self.close_partitions()  # of a rebalance that was overtaken by this one
            await self._recover_assigned()
        except asyncio.CancelledError:
            if not self.should_stop:
                self.on_failure(BrokerError("Recovery was cancelled from inside a client library."))
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self.on_failure(error)

    async def _recover_assigned(self) -> None:
        began = time.monotonic()
        generation = self.consumer_generation_id
        assigned = [tp for tp in self.consumer.assignment() if tp.topic in self._specs]
        committed = await self.consumer.group_offsets(assigned) if assigned else {}
        first = await self._first_offsets(assigned)
        runners = await asyncio.gather(*(self._recover(tp, generation, committed[tp], first[tp]) for tp in assigned))
        if generation != self.consumer_generation_id:
            return  # another rebalance came meanwhile; it recovers what it assigns
        self.runners = dict(zip(assigned, runners, strict=True))
        self.reset_state = False
        self.recovering = False
        log.info("assigned", partitions=len(assigned), seconds=round(time.monotonic() - began, 3))

    async def _first_offsets(self, assigned: list[TP]) -> Mapping[TP, int]:
        """Where partitions begin that were never read."""
        if not assigned:
            return {}
        latest = self.settings.source.start == "latest"
        ends = await self.consumer.highwaters(*assigned) if latest else {}
        starts = await self.consumer.earliest_offsets(*assigned)
        source = self.settings.service.topic_prefix + self.settings.source.topic
        return {tp: int(ends[tp] if latest and tp.topic == source else starts[tp]) for tp in assigned}

    async def _recover(self, tp: TP, generation: int, committed: int | None, first: int) -> PartitionRunner[Any]:
        spec, services = self._specs[tp.topic], self._services[tp.topic]
        shard = spec.make_shard(tp.partition)
        claim = Claim(
            topic=tp.topic,
            partition=tp.partition,
            generation=generation,
            committed=committed if committed is not None and committed >= 0 else None,
            first=first,
            reset=self.reset_state,
        )
        start = await recover_partition(claim, shard, services)
        return PartitionRunner(tp.topic, tp.partition, shard=shard, spec=spec, start=start, services=services)


def _faust_settings(settings: Settings) -> dict[str, Any]:
    service = settings.service
    session = service.session_timeout_seconds
    return {
        "broker": faust_broker_urls(settings.broker),
        "broker_credentials": faust_credentials(settings.broker),
        "broker_client_id": service.app_id,
        "broker_session_timeout": session,
        "broker_heartbeat_interval": session / 5,
        "broker_rebalance_timeout": max(session, 30.0),
        "broker_request_timeout": max(settings.broker.request_timeout_seconds, session * 2),
        "broker_max_poll_records": None,
        "broker_commit_interval": 3600.0,  # Faust's own acknowledgements are unused
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": service.instance_id or None,
        "consumer_max_fetch_size": 1 << 20,  # what one fetch holds also bounds how long the event loop is busy
        "stream_buffer_maxsize": QUEUED_FETCHES,
        "stream_wait_empty": False,
        "store": "memory://",
        "table_standby_replicas": 0,  # there are no tables; more than 0 brings in Faust's own assignor
        "datadir": service.datadir,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,
        "autodiscover": False,
        "stream_processing_timeout": 3600.0,  # /readyz watches progress; Faust's watchdog only logs
        "broker_commit_livelock_soft_timeout": 3600.0,
    }
