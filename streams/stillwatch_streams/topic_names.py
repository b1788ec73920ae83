"""The topics table as this installation uses it: own source topic, prefix, one DLQ a source."""

from __future__ import annotations

import msgspec
from stillwatch_schemas import topics
from stillwatch_schemas.topics import Topic

from stillwatch_streams.settings import Settings

CHECKPOINTS = {
    "account": topics.ACCOUNT_CHECKPOINTS,
    "group": topics.GROUP_CHECKPOINTS,
    "campaign": topics.CAMPAIGN_CHECKPOINTS,
    "policy": topics.POLICY_CHECKPOINTS,
    "feedback": topics.FEEDBACK_CHECKPOINTS,
}


class TopicNames:
    """Names in use, by role."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.service.topic_prefix
        self._source = settings.source.topic
        self.requests = self._prefix + self._source
        self.signals = self._prefix + topics.SIGNALS.name
        self.profiles = self._prefix + topics.PROFILES.name
        self.alerts = self._prefix + topics.ALERTS.name
        self.enforcement = self._prefix + topics.ENFORCEMENT.name
        self.verdicts = self._prefix + topics.VERDICTS.name

    def source(self, agent: str) -> str:
        """The topic an agent reads."""
        topics_of = {
            "account": self.requests,
            "group": self.signals,
            "campaign": self.profiles,
            "policy": self.alerts,
            "feedback": self.verdicts,
        }
        return topics_of[agent]

    def checkpoints(self, agent: str) -> str:
        """Where an agent's state is kept."""
        return self._prefix + CHECKPOINTS[agent].name

    def dlq(self, source: str) -> str:
        """Where the records of `source` go that can't be used."""
        return f"{source}.dlq"

    def table(self) -> tuple[Topic, ...]:
        """The topics table under the names in use."""
        return tuple(msgspec.structs.replace(topic, name=self._rename(topic.name)) for topic in topics.TOPICS)

    def _rename(self, name: str) -> str:
        if name == topics.REQUESTS.name:
            return self.requests
        if name == topics.REQUESTS_DLQ.name:
            return self.dlq(self.requests)
        return self._prefix + name
