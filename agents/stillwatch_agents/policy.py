"""The policy agent: alerts in, directives out."""

from __future__ import annotations

from stillwatch_models.policy import PolicyEngine
from stillwatch_schemas.alerts import decode_finding
from stillwatch_streams.agent_spec import AgentSpec
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.typed_decoder import TypedDecoder


def policy_spec(settings: Settings) -> AgentSpec:
    """One `PolicyEngine` a partition of the alerts topic."""
    return AgentSpec(
        name="policy",
        topic=TopicNames(settings).alerts,
        make_shard=lambda partition: PolicyEngine(settings.engine, partition),
        decode=TypedDecoder(decode_finding),
        gauges=lambda engine: {"withheld": engine.withheld},
    )
