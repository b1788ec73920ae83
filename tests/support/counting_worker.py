"""The real worker process with `CountingShard` in the place of the account engine: `python counting_worker.py`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stillwatch_streams.agent_spec import AgentSpec
from stillwatch_streams.ingest import ingest_for  # the path must be set first
from stillwatch_streams.logs import configure_logs
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.worker_process import run_worker
from support.counting import CountingShard


def make_agents(settings: Settings, _partitions: Mapping[str, int]) -> list[AgentSpec]:
    counting = AgentSpec(
        name="account",
        topic=TopicNames(settings).requests,
        make_shard=CountingShard,
        decode=ingest_for(settings.source, has_broker_time=True).decode,
    )
    return [counting]


if __name__ == "__main__":
    settings = load_settings()
    configure_logs(settings.logging)
    sys.exit(run_worker(settings, make_agents, reset_state="--reset-state" in sys.argv))
