"""The campaign agent: profiles of all account shards in, alerts about campaigns and their members out."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch_models.campaigns.engine import CampaignEngine
from stillwatch_schemas.codec import decode_profile
from stillwatch_streams.runner import AgentSpec
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.typed_decoder import TypedDecoder


def campaign_spec(settings: Settings, sources: int) -> AgentSpec:
    """One `CampaignEngine` a partition of the profiles topic, of which the first gets everything.

    `sources` is the number of request partitions.
    """

    def gauges(engine: CampaignEngine) -> Mapping[str, int]:
        return {
            "compared_accounts": len(engine.known),
            "campaigns": len(engine.roll.campaigns),
            "campaign_members": len(engine.roll.of_account),
        }

    return AgentSpec(
        name="campaign",
        topic=TopicNames(settings).profiles,
        make_shard=lambda partition: CampaignEngine(settings.engine, partition, sources),
        decode=TypedDecoder(decode_profile),
        gauges=gauges,
    )
