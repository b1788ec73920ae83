"""The composition root: which agents a worker runs, each with its engine."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch_streams.agent_spec import AgentSpec
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames

from stillwatch_agents.account import account_spec
from stillwatch_agents.campaign import campaign_spec
from stillwatch_agents.feedback import feedback_spec
from stillwatch_agents.group import group_spec
from stillwatch_agents.policy import policy_spec


def make_agents(settings: Settings, partitions: Mapping[str, int]) -> list[AgentSpec]:
    """The agents that the settings ask for, with the broker's partition counts."""
    sources = partitions[TopicNames(settings).requests]
    agents = {
        "account": account_spec(settings),
        "group": group_spec(settings, sources),
        "campaign": campaign_spec(settings, sources),
        "policy": policy_spec(settings),
        "feedback": feedback_spec(settings),
    }
    return [agents[name] for name in settings.service.agents]
