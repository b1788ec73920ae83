"""Stillwatch on the reference work: the product's transport, runner, publisher and checkpoints, a small shard."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from stillwatch_models.shard import Outputs
from stillwatch_streams.agent_spec import AgentSpec, Services
from stillwatch_streams.logs import configure_logs
from stillwatch_streams.outputs import Router
from stillwatch_streams.publisher import Message
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.worker_process import WorkerProcess

from peers.job import Job, Meter
from peers.metered import metered
from peers.reference_shard import ReferenceOutputs, ReferenceShard, RequestDecoder


class AlertRouter(Router):
    """Writes the reference work's alerts."""

    def __init__(self, router: Router, topic: str) -> None:
        vars(self).update(vars(router))
        self._topic = topic

    def messages(self, outputs: Outputs) -> list[Message]:
        """One message an alert."""
        alerts = outputs.alerts if isinstance(outputs, ReferenceOutputs) else ()
        return [
            Message(topic=self._topic, key=alert.account_id.encode(), partition=0, value=msgspec.json.encode(alert))
            for alert in alerts
        ]


class ReferenceWorker(WorkerProcess):
    """A worker whose alerts are the reference work's."""

    def __init__(self, settings: Settings, job: Job, meter: Meter) -> None:
        def make_agents(_settings: Settings, _partitions: Mapping[str, int]) -> Sequence[AgentSpec]:
            spec = AgentSpec(name="account", topic=job.topic, make_shard=ReferenceShard, decode=RequestDecoder())
            return [metered(spec, meter)]

        super().__init__(settings, make_agents)
        self._alerts = job.alerts

    def _services(self, *arguments: Any) -> Services:
        services = super()._services(*arguments)
        return msgspec.structs.replace(services, router=AlertRouter(services.router, self._alerts))


def run(job: Job, meter: Meter) -> None:
    """Run as `stillwatch worker --unsupervised` does, until killed."""
    settings = load_settings(env=job.env)
    configure_logs(settings.logging)
    asyncio.run(ReferenceWorker(settings, job, meter).run())
