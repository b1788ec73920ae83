"""Stillwatch with everything on: all agents and detectors of `stillwatch worker`, without its supervisor."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import msgspec
from stillwatch_agents.worker import make_agents
from stillwatch_streams.agent_spec import AgentSpec
from stillwatch_streams.logs import configure_logs
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.worker_process import run_worker

from peers.job import Job, Meter
from peers.metered import metered


def run(job: Job, meter: Meter) -> None:
    """Run until killed; the account agent reads the race's topic and carries the meter."""

    def make_metered(settings: Settings, partitions: Mapping[str, int]) -> Sequence[AgentSpec]:
        account, *others = make_agents(settings, partitions)
        return [metered(msgspec.structs.replace(account, topic=job.topic), meter), *others]

    settings = load_settings(env=job.env)
    configure_logs(settings.logging)
    sys.exit(run_worker(settings, make_metered))
