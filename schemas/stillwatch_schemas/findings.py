"""What a detector says, before it is written down as OCSF: findings and the evidence under them."""

from __future__ import annotations

from typing import Literal

import msgspec

from stillwatch_schemas.limits import (
    Asn,
    Count,
    Id,
    Ids,
    Label,
    Members,
    Paragraph,
    Partition,
    Percent,
    Real,
    Score,
    Share,
    TimeMs,
    Word,
)

SubjectKind = Literal["account", "asn", "net", "template", "payment", "client", "topic", "campaign"]
Activity = Literal["create", "update", "close"]
Tier = Literal["low", "medium", "high", "critical"]
Ruling = Literal["confirmed", "rejected", "released"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One signal's contribution to a finding, in numbers and in a sentence that a human can check."""

    signal: Id
    """Name of the detector file, e.g. `machine_rhythm`."""
    statement: Paragraph
    """The plain-language explanation, with the figures in it."""
    observed: Real
    baseline: Real
    percentile: Percent
    """Where the observed value stands in the population, 0 to 100."""
    unit: Word
    horizon: Word
    """What the observation covers, e.g. `10 s pane`, `24 h`, `lifetime`."""
    p_value: Share
    weight: Real
    """Evidence in nats: the natural logarithm of the e-value."""
    event_ids: Ids = ()
    """Up to five example events."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One message about one incident: (subject, attack kind). Same `uid` from Create to Close."""

    uid: Id
    """Incident id, derived from (subject, kind, first pane, config hash)."""
    alert_uid: Id
    """Id of this message, derived from (uid, activity, pane): equal when the message is delivered again."""
    kind: Word
    """Attack kind, e.g. `distillation`, `asn_surge`, `canary_hit`, `hard_ceiling`."""
    activity: Activity
    tier: Tier
    subject_kind: SubjectKind
    subject: Id
    time_ms: TimeMs
    """Event time of the message: the end of the pane that raised it, or the event's `ts` for immediate rules."""
    first_seen_ms: TimeMs
    last_seen_ms: TimeMs
    exchanges: Count
    """Exchanges of the subject so far: the estimate of what has leaked."""
    risk_score: Score
    """0 to 100."""
    confidence_score: Score
    """0 to 100: how sure, calibrated against the population."""
    evidence: tuple[Evidence, ...] = ()
    """Strongest first."""
    members: Members = ()
    """Accounts of a group or campaign finding, bounded."""
    members_total: Count = 0
    """How many there are, where `members` holds only some of them."""
    org_id: Label | None = None
    api_key_id: Label | None = None
    asn: Asn | None = None
    campaign_uid: Id | None = None
    shard: Partition = 0
    """Source partition that raised it."""
    shard_accounts: Count = 0
    """Accounts that shard knows: what the blast-radius cap is a share of."""
    config_hash: Word = ""
    ruling: Ruling | None = None
    """What an analyst made of it: `confirmed` and `rejected` incidents, or `released` for every directive up to now."""
