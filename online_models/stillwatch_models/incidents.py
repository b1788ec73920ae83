"""Incidents: what is said about an account, a group or a campaign, when, and under which id.

One incident per (subject, attack kind): `create` when the evidence passes the threshold, `update` when it reaches the
next tier, `close` on as strong evidence of innocence, after a long silence, or by a verdict. Ids derive from (subject,
kind, first pane, configuration), so a message that is delivered again repeats its id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np
from stillwatch_schemas.findings import Activity, Evidence, Finding, SubjectKind, Tier

TIERS: tuple[tuple[Tier, float], ...] = (("medium", 1.0), ("high", 2.0), ("critical", 5.0))
"""Tiers, and the multiples of the alert threshold at which an incident of many accounts reaches them; of one account's
incidents the budgets decide (`evidence.thresholds`). Only messages that a verdict caused are `low`."""

DISTILLATION = "distillation"
HARD_CEILING = "hard_ceiling"
ASN_SURGE = "asn_surge"
CAMPAIGN = "campaign"
CAMPAIGN_MEMBER = "campaign_member"


def derived_uid(*parts: object) -> str:
    """32 hex digits that depend on nothing but the parts."""
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def tier_position(evidence_over_threshold: float) -> int:
    """1-based position in TIERS; 0 below the threshold."""
    return sum(1 for _, factor in TIERS if evidence_over_threshold >= factor)


def risk_score(evidence_over_threshold: float) -> int:
    """0 to 100: 50 at the threshold, saturating."""
    return int(100 * (1 - 0.5 ** max(0.0, evidence_over_threshold)) + 0.5)


def confidence_score(evidence_nats: float) -> int:
    """0 to 100: posterior of an attack at prior odds of one to a thousand."""
    return round(100 / (1 + 1000 * float(np.exp(-min(max(evidence_nats, -50.0), 50.0)))))


class Header(msgspec.Struct, frozen=True):
    """What identifies a message about an incident."""

    subject_kind: SubjectKind
    subject: str
    kind: str
    first_pane: int
    activity: Activity
    pane: int
    pane_ms: int
    config_hash: str

    @property
    def uid(self) -> str:
        """Incident id."""
        return derived_uid(self.subject_kind, self.subject, self.kind, self.first_pane, self.config_hash)

    @property
    def alert_uid(self) -> str:
        """Message id."""
        return derived_uid(self.uid, self.activity, self.pane)


def finding(
    header: Header, *, tier: int, evidence_nats: float, threshold: float, evidence: Sequence[Evidence], **facts: object
) -> Finding:
    """Write a finding; `facts` are Finding's own fields (exchanges, members, asn, ...)."""
    fields: dict[str, object] = {
        "time_ms": (header.pane + 1) * header.pane_ms,
        "first_seen_ms": header.first_pane * header.pane_ms,
        "last_seen_ms": (header.pane + 1) * header.pane_ms,
        "exchanges": 0,
        **facts,
    }
    return msgspec.convert(
        {
            "uid": header.uid,
            "alert_uid": header.alert_uid,
            "kind": header.kind,
            "activity": header.activity,
            "tier": TIERS[max(tier, 1) - 1][0],
            "subject_kind": header.subject_kind,
            "subject": header.subject,
            "risk_score": risk_score(evidence_nats / threshold),
            "confidence_score": confidence_score(evidence_nats),
            "evidence": tuple(evidence),
            "config_hash": header.config_hash,
            **fields,
        },
        Finding,
    )
