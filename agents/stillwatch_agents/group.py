"""The group agent: signals of all account shards in, alerts about groups out."""

from __future__ import annotations

from stillwatch_models.groups import GroupEngine
from stillwatch_schemas.codec import decode_signal
from stillwatch_streams.agent_spec import AgentSpec
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.typed_decoder import TypedDecoder


def group_spec(settings: Settings, sources: int) -> AgentSpec:
    """One `GroupEngine` a partition of the signals topic; `sources` is the number of request partitions."""
    return AgentSpec(
        name="group",
        topic=TopicNames(settings).signals,
        make_shard=lambda partition: GroupEngine(settings.engine, partition, sources),
        decode=TypedDecoder(decode_signal),
        gauges=lambda engine: engine.gauges(),
    )
