"""One worker process: wires the parts, runs until told to stop, and ends at once when anything goes wrong.

What its exit codes mean is in `exit_codes`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from aiokafka.errors import KafkaError
from stillwatch_schemas.directives import Directive
from stillwatch_schemas.errors import BrokerError, ConfigError, StateError, StillwatchError
from stillwatch_schemas.signing import load_private_key, sign

from stillwatch_streams import readiness
from stillwatch_streams.agent_spec import AgentSpec, Services
from stillwatch_streams.app import WorkerApp
from stillwatch_streams.checkpoint_store import CheckpointStore
from stillwatch_streams.crash_notes import CrashNotes, RecordFailure
from stillwatch_streams.dlq import DeadLetterBox
from stillwatch_streams.exit_codes import FAILED, NO_BROKER
from stillwatch_streams.health import HealthServer
from stillwatch_streams.heartbeats import beat_while_idle
from stillwatch_streams.kafka_admin import admin_client, partition_counts
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.logs import get_logger
from stillwatch_streams.memory import give_back_regularly
from stillwatch_streams.metrics import Metrics
from stillwatch_streams.outputs import Partitions, Router, Signer
from stillwatch_streams.publisher import Publisher
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames

WATCH_SECONDS = 0.5
GC_THRESHOLDS = (100_000, 50, 1_000)
"""Events come and go by the thousand and hold no cycles; the collector's own thresholds would run all the time."""

log = get_logger(__name__)

MakeAgents = Callable[[Settings, Mapping[str, int]], Sequence[AgentSpec]]
"""Agents for the settings and the topics' partition counts."""


class WorkerProcess:
    """Everything a worker needs, in the order in which it must start and stop."""

    def __init__(self, settings: Settings, make_agents: MakeAgents, *, reset_state: bool = False) -> None:
        self.settings = settings
        self.names = TopicNames(settings)
        self.metrics = Metrics()
        self.notes = CrashNotes(Path(settings.service.datadir))
        self.options = client_options(settings.broker)
        self._make_agents = make_agents
        self._reset = reset_state

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; never returns after a failure."""
        partitions = await self._partitions()
        async with Publisher(self.options) as publisher:
            app = WorkerApp(self.settings, metrics=self.metrics, on_failure=self._fail)
            app.reset_state = self._reset
            for spec in self._make_agents(self.settings, partitions):
                app.add_agent(spec, self._services(app, spec, publisher, partitions))
            async with self._health(app):
                await self._run_app(app, publisher)

    async def _run_app(self, app: WorkerApp, publisher: Publisher) -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stopping.set)
        app.finalize()
        asked = asyncio.create_task(stopping.wait())
        watchers = {
            asyncio.create_task(_start_and_watch(app)),
            asyncio.create_task(beat_while_idle(app, publisher, self.names.requests)),
            asyncio.create_task(readiness.watch_ends(app)),
            asyncio.create_task(give_back_regularly()),
        }
        done, _ = await asyncio.wait({asked, *watchers}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {asked}:
            self._fail(task.exception() or RuntimeError("a watcher ended by itself"))
        log.info("stopping")
        for task in watchers:
            task.cancel()
        await app.close_partitions()
        await app.stop()
        log.info("stopped")

    async def _partitions(self) -> Mapping[str, int]:
        """Partition counts of every topic; ConfigError naming what is missing."""
        async with admin_client(self.options) as admin:
            wanted = [topic.name for topic in self.names.table()]
            counts = await partition_counts(admin, wanted)
        missing = [name for name in wanted if name not in counts]
        if missing:
            raise ConfigError(f"Topics are missing: {', '.join(missing)}. Create them: stillwatch topics create.")
        return counts

    def _services(
        self, app: WorkerApp, spec: AgentSpec, publisher: Publisher, partitions: Mapping[str, int]
    ) -> Services:
        service = self.settings.service
        counts = Partitions(
            alerts=partitions[self.names.alerts],
            signals=partitions[self.names.signals],
            enforcement=partitions[self.names.enforcement],
            requests=partitions[self.names.requests],
        )
        dlq = self.names.dlq(spec.topic)
        return Services(
            agent=spec.name,
            publisher=publisher,
            router=Router(self.names, counts, self._signer()),
            store=CheckpointStore(self.names.checkpoints(spec.name), publisher, self.options),
            letters=DeadLetterBox(publisher, self.options, source=spec.topic, dlq=dlq, group=service.app_id),
            notes=self.notes,
            metrics=self.metrics,
            commit=app.commit_offset,
            on_failure=self._fail,
            checkpoint_seconds=service.checkpoint_interval_seconds,
            expire_seconds=self.settings.enforcement.expire_interval_seconds if spec.name == "policy" else 0.0,
            fence_seconds=service.session_timeout_seconds * 2,
            skip_lost=self.settings.source.on_lost_records == "skip",
        )

    def _signer(self) -> Signer | None:
        path = self.settings.enforcement.signing_key_path
        if not path:
            return None
        key = load_private_key(Path(path))

        def signer(directive: Directive) -> Directive:
            return sign(directive, key)

        return signer

    @contextlib.asynccontextmanager
    async def _health(self, app: WorkerApp) -> AsyncIterator[None]:
        def metrics() -> bytes:
            readiness.update_gauges(app)
            return self.metrics.render()

        service = self.settings.service
        server = HealthServer(
            problems=lambda: readiness.problems(app, stall_seconds=service.stall_seconds), metrics=metrics
        )
        port = await server.start(service.http_host, service.http_port)
        log.info("listening", health=f"http://{service.http_host}:{port}/readyz")
        try:
            yield
        finally:
            await server.stop()

    def _fail(self, error: BaseException) -> None:
        """Say why, and end the process now: what it holds in memory must not be used any more."""
        if isinstance(error, RecordFailure):
            note = self.notes.add(error)
            log.error("record_failed", where=str(error), deaths=note.deaths, error=note.error)
        expected = isinstance(error, StillwatchError)  # its sentence says all; a traceback would bury it
        log.error("worker_failed", error=str(error) or repr(error), exc_info=None if expected else error)
        sys.stderr.flush()
        os._exit(exit_code(error))


def run_worker(settings: Settings, make_agents: MakeAgents, *, reset_state: bool = False) -> int:
    """Run one worker in this process; its exit code."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        asyncio.run(WorkerProcess(settings, make_agents, reset_state=reset_state).run())
    except (BrokerError, KafkaError, OSError) as error:
        log.error("no_broker", error=str(error))  # noqa: TRY400 - the sentence says all; a traceback would bury it
        return NO_BROKER
    return 0


def exit_code(error: BaseException) -> int:
    """Tell the supervisor whether starting again can help."""
    return error.exit_code if isinstance(error, (ConfigError, StateError)) else FAILED


async def _start_and_watch(app: WorkerApp) -> None:
    """Start Faust, and raise when it gives up on some part of itself; never returns."""
    await app.start()
    while True:
        for service in (app, app._fetcher):  # noqa: SLF001 - no public way
            if service.crashed:
                raise service.crash_reason or BrokerError("Faust stopped without a reason.")
        if (failure := app.consumer.failure()) is not None:
            raise failure
        await asyncio.sleep(WATCH_SECONDS)
