"""The account agent: request records in, alerts and signals out."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch_models.engine import AccountEngine
from stillwatch_streams.agent_spec import AgentSpec
from stillwatch_streams.ingest import ingest_for
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames

EVENTS_AT_ONCE = 256
"""About a megabyte of records and of what they are decoded to."""


def account_spec(settings: Settings) -> AgentSpec:
    """One `AccountEngine` a partition of the request topic."""

    def gauges(engine: AccountEngine) -> Mapping[str, int]:
        return {"accounts": engine.table.live, **engine.counters, **engine.scorer.calibration.counters()}

    return AgentSpec(
        name="account",
        topic=TopicNames(settings).requests,
        make_shard=lambda partition: AccountEngine(settings.engine, partition),
        decode=ingest_for(settings.source, has_broker_time=True).decode,
        gauges=gauges,
        at_once=EVENTS_AT_ONCE,
        steps=lambda engine, batch: engine.steps(batch),
    )
