"""The one table of topics. Creation, checks, the AsyncAPI document and the README all read it."""

from __future__ import annotations

from typing import Final

import msgspec

DLQ_SUFFIX: Final = ".dlq"


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One Kafka topic: what flows there and how it must be configured."""

    name: str
    key: str
    value: str
    """What the value is, in words."""
    schema: str | None = None
    """Name of the JSON Schema of the value, where it is one of our contracts."""
    compacted: bool = False
    co_partitioned: bool = True
    """Must have as many partitions as the request topic."""
    retention_ms: int = 7 * 86_400_000
    """Ignored where compacted; -1 keeps everything."""
    internal: bool = False
    """Only Stillwatch itself reads it."""
    writers: tuple[str, ...] = ()
    """Who produces to it: `gateway`, `analyst`, or one of our own parts."""
    readers: tuple[str, ...] = ()
    """Who consumes it."""

    def config(self) -> dict[str, str]:
        """Topic configuration as Kafka names it."""
        if self.compacted:
            return {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1"}
        return {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}


REQUESTS = Topic(
    name="llm.requests.v1",
    key="account_id",
    value="one exchange with the model",
    schema="request",
    co_partitioned=True,
    writers=("gateway", "feedback agent"),
    readers=("account agent",),
)
SIGNALS = Topic(
    name="llm.signals.v1",
    key="group",
    value="pre-aggregated group contributions",
    schema="signal",
    internal=True,
    writers=("account agent",),
    readers=("group agent",),
)
PROFILES = Topic(
    name="llm.profiles.v1",
    key="account, or the source partition",
    value="accounts as they may be compared with each other; all in partition 0",
    schema="profile",
    internal=True,
    writers=("account agent",),
    readers=("campaign agent",),
)
ALERTS = Topic(
    name="llm.alerts.v1",
    key="incident uid",
    value="OCSF 1.8.0 Detection Finding",
    schema="alert",
    writers=("account agent", "group agent", "campaign agent"),
    readers=("policy agent", "SIEM", "console"),
)
ENFORCEMENT = Topic(
    name="llm.enforcement.v1",
    key="scope:subject",
    value="signed directive; null releases",
    schema="directive",
    compacted=True,
    co_partitioned=False,
    writers=("policy agent",),
    readers=("gateway",),
)
ENFORCEMENT_ACKS = Topic(
    name="llm.enforcement.acks.v1",
    key="scope:subject",
    value="what a serving node did",
    schema="ack",
    co_partitioned=False,
    writers=("gateway",),
    readers=("console",),
)
VERDICTS = Topic(
    name="llm.verdicts.v1",
    key="incident uid",
    value="an analyst's judgement",
    schema="verdict",
    writers=("analyst",),
    readers=("feedback agent",),
)


def _dlq_of(source: Topic, *, internal: bool = False) -> Topic:
    """Where the records of `source` go that can't be used: written by the agent that reads it."""
    return Topic(
        name=f"{source.name}{DLQ_SUFFIX}",
        key="as received",
        value="the bytes as received; reason and origin in `__dlq.errors.*` headers",
        co_partitioned=False,
        retention_ms=30 * 86_400_000,
        internal=internal,
        writers=source.readers[:1],
        readers=("operator",),
    )


REQUESTS_DLQ = _dlq_of(REQUESTS)
SIGNALS_DLQ = _dlq_of(SIGNALS, internal=True)
PROFILES_DLQ = _dlq_of(PROFILES, internal=True)
ALERTS_DLQ = _dlq_of(ALERTS, internal=True)
VERDICTS_DLQ = _dlq_of(VERDICTS)
ACCOUNT_CHECKPOINTS = Topic(
    name="stillwatch.checkpoints.account.v1",
    key="row and slot",
    value="a row",
    compacted=True,
    internal=True,
    writers=("account agent",),
    readers=("account agent",),
)
GROUP_CHECKPOINTS = Topic(
    name="stillwatch.checkpoints.group.v1",
    key="row and slot",
    value="a row",
    compacted=True,
    internal=True,
    writers=("group agent",),
    readers=("group agent",),
)
CAMPAIGN_CHECKPOINTS = Topic(
    name="stillwatch.checkpoints.campaign.v1",
    key="row and slot",
    value="a row",
    compacted=True,
    internal=True,
    writers=("campaign agent",),
    readers=("campaign agent",),
)
POLICY_CHECKPOINTS = Topic(
    name="stillwatch.checkpoints.policy.v1",
    key="row and slot",
    value="a row",
    compacted=True,
    internal=True,
    writers=("policy agent",),
    readers=("policy agent",),
)
FEEDBACK_CHECKPOINTS = Topic(
    name="stillwatch.checkpoints.feedback.v1",
    key="row and slot",
    value="a row",
    compacted=True,
    internal=True,
    writers=("feedback agent",),
    readers=("feedback agent",),
)

TOPICS: tuple[Topic, ...] = (
    REQUESTS,
    SIGNALS,
    PROFILES,
    ALERTS,
    ENFORCEMENT,
    ENFORCEMENT_ACKS,
    VERDICTS,
    REQUESTS_DLQ,
    SIGNALS_DLQ,
    PROFILES_DLQ,
    ALERTS_DLQ,
    VERDICTS_DLQ,
    ACCOUNT_CHECKPOINTS,
    GROUP_CHECKPOINTS,
    CAMPAIGN_CHECKPOINTS,
    POLICY_CHECKPOINTS,
    FEEDBACK_CHECKPOINTS,
)
