"""Which engines a replay drives: those of the live worker."""

from __future__ import annotations

from collections.abc import Callable

from stillwatch_models.campaigns.engine import CampaignEngine
from stillwatch_models.config import EngineConfig
from stillwatch_models.engine import AccountEngine
from stillwatch_models.groups import GroupEngine
from stillwatch_models.policy import PolicyEngine

from stillwatch_streams.pipeline import Engines

MakeEngines = Callable[[EngineConfig, int], Engines]


def standard_engines(config: EngineConfig, partitions: int) -> Engines:
    """The engines that the live worker runs."""
    return Engines(
        account=lambda partition: AccountEngine(config, partition),
        group=lambda partition: GroupEngine(config, partition, sources=partitions),
        campaign=lambda partition: CampaignEngine(config, partition, sources=partitions),
        policy=lambda partition: PolicyEngine(config, partition),
    )
