"""What a detector says, before it is written down as OCSF: findings and the evidence under them."""

from __future__ import annotations

from typing import Literal

import msgspec

SubjectKind = Literal["account", "asn", "net", "template", "payment", "client", "topic", "campaign"]
Activity = Literal["create", "update", "close"]
Tier = Literal["low", "medium", "high", "critical"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One signal's contribution to a finding, in numbers and in a sentence that a human can check."""

    signal: str
    """Name of the detector file, e.g. `machine_rhythm`."""
    statement: str
    """The plain-language explanation, with the figures in it."""
    observed: float
    baseline: float
    percentile: float
    """Where the observed value stands in the population, 0 to 100."""
    unit: str
    horizon: str
    """What the observation covers, e.g. `10 s pane`, `24 h`, `lifetime`."""
    p_value: float
    weight: float
    """Evidence in nats: the natural logarithm of the e-value."""
    event_ids: tuple[str, ...] = ()
    """Up to five example events."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One message about one incident: (subject, attack kind). Same `uid` from Create to Close."""

    uid: str
    """Incident id, derived from (subject, kind, first pane, config hash)."""
    alert_uid: str
    """Id of this message, derived from (uid, activity, pane): equal when the message is delivered again."""
    kind: str
    """Attack kind, e.g. `distillation`, `asn_surge`, `canary_hit`, `hard_ceiling`."""
    activity: Activity
    tier: Tier
    subject_kind: SubjectKind
    subject: str
    time_ms: int
    """Event time of the message: the end of the pane that raised it, or the event's `ts` for immediate rules."""
    first_seen_ms: int
    last_seen_ms: int
    exchanges: int
    """Exchanges of the subject so far: the estimate of what has leaked."""
    risk_score: int
    """0 to 100."""
    confidence_score: int
    """0 to 100: how sure, calibrated against the population."""
    evidence: tuple[Evidence, ...]
    members: tuple[str, ...] = ()
    """Accounts of a group or campaign finding, bounded."""
    org_id: str | None = None
    api_key_id: str | None = None
    asn: int | None = None
    campaign_uid: str | None = None
    shard: int = 0
    """Source partition that raised it."""
    shard_accounts: int = 0
    """Accounts that shard knows: what the blast-radius cap is a share of."""
    config_hash: str = ""
