"""The campaign agent: profiles of all account shards in, alerts about campaigns and their members out."""

from __future__ import annotations

from stillwatch_models.campaigns.engine import CampaignEngine
from stillwatch_schemas.codec import decode_profile
from stillwatch_streams.agent_spec import AgentSpec
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.typed_decoder import TypedDecoder


def campaign_spec(settings: Settings, sources: int) -> AgentSpec:
    """One `CampaignEngine` a partition of the profiles topic, of which the first gets everything.

    `sources` is the number of request partitions.
    """
    return AgentSpec(
        name="campaign",
        topic=TopicNames(settings).profiles,
        make_shard=lambda partition: CampaignEngine(settings.engine, partition, sources),
        decode=TypedDecoder(decode_profile),
        gauges=lambda engine: engine.gauges(),
    )
