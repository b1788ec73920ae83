"""The composition root: which agents a worker runs, each with its engine."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.worker_process import Agent

from stillwatch_agents.account import account_agent, account_spec
from stillwatch_agents.group import group_agent, group_spec
from stillwatch_agents.policy import policy_agent, policy_spec


def make_agents(settings: Settings, partitions: Mapping[str, int]) -> list[Agent]:
    """The agents that the settings ask for, with the broker's partition counts."""
    sources = partitions[TopicNames(settings).requests]
    agents = {
        "account": Agent(account_agent, account_spec(settings)),
        "group": Agent(group_agent, group_spec(settings, sources)),
        "policy": Agent(policy_agent, policy_spec(settings)),
    }
    return [agents[name] for name in settings.service.agents]
