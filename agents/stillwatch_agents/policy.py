"""The policy agent: alerts in, directives out."""

from __future__ import annotations

from typing import Any

from stillwatch_models.policy import PolicyEngine
from stillwatch_schemas.alerts import decode_finding
from stillwatch_streams.app import WorkerApp
from stillwatch_streams.runner import AgentSpec
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.typed_decoder import TypedDecoder


def policy_agent(app: WorkerApp) -> Any:
    """What Faust runs. It never yields, so no record can ask for an answer."""

    async def policy(stream: Any) -> None:
        async for event in stream.noack().events():
            await app.feed(event.value)

    return policy


def policy_spec(settings: Settings) -> AgentSpec:
    """One `PolicyEngine` a partition of the alerts topic."""
    return AgentSpec(
        name="policy",
        topic=TopicNames(settings).alerts,
        make_shard=lambda partition: PolicyEngine(settings.engine, partition),
        decode=TypedDecoder(decode_finding),
        gauges=lambda engine: {"withheld": engine.withheld},
    )
