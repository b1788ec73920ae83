"""The table of attack kinds: how each is called in an alert, and which ATLAS techniques it points to (ATLAS 5.6)."""

from __future__ import annotations

from typing import Final

import msgspec

ATLAS_VERSION: Final = "5.6"

BEHAVIORAL: Final = 2
STATISTICAL: Final = 3
LEARNING: Final = 4
FINGERPRINTING: Final = 5
RULE: Final = 1
"""OCSF analytic types."""


class Technique(msgspec.Struct, frozen=True):
    """One ATLAS technique (or sub-technique, when its parent is given) under the tactic it serves."""

    uid: str
    name: str
    tactic_uid: str
    tactic: str
    parent: str | None = None
    """Name of the parent technique; its id is `uid` without the part after the last full stop."""


EXTRACT = Technique(
    "AML.T0024.002", "Extract AI Model", "AML.TA0010", "Exfiltration", "Exfiltration via AI Inference API"
)
REPLICATE = Technique(
    "AML.T0005.001", "Train Proxy via Replication", "AML.TA0001", "AI Attack Staging", "Create Proxy AI Model"
)
PROXIES = Technique(
    "AML.T0008.005", "AI Service Proxies", "AML.TA0003", "Resource Development", "Acquire Infrastructure"
)
ACCOUNTS = Technique("AML.T0021", "Establish Accounts", "AML.TA0003", "Resource Development")
EXCESSIVE = Technique("AML.T0034.000", "Excessive Queries", "AML.TA0011", "Impact", "Cost Harvesting")
THEFT = Technique("AML.T0048.004", "AI Intellectual Property Theft", "AML.TA0011", "Impact", "External Harms")


class AttackKind(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert says about a kind of finding, apart from the finding's own figures."""

    title: str
    """Follows the subject: `account acct-1: <title>`."""
    desc: str
    analytic_type: int
    techniques: tuple[Technique, ...]


KINDS: Final[dict[str, AttackKind]] = {
    "distillation": AttackKind(
        title="model distillation",
        desc="The subject queries the model systematically, as one does to train another model on the answers.",
        analytic_type=BEHAVIORAL,
        techniques=(EXTRACT, REPLICATE),
    ),
    "campaign": AttackKind(
        title="coordinated model distillation",
        desc="Several accounts, joined by rare things that they share, query the model systematically as one.",
        analytic_type=STATISTICAL,
        techniques=(EXTRACT, REPLICATE, ACCOUNTS, PROXIES),
    ),
    "campaign_member": AttackKind(
        title="member of a distillation campaign",
        desc="The account belongs to accounts that query the model as one, and inherits the evidence of them all.",
        analytic_type=STATISTICAL,
        techniques=(EXTRACT, REPLICATE, ACCOUNTS),
    ),
    "asn_surge": AttackKind(
        title="surge of accounts from one network",
        desc="Accounts arrived in one autonomous system far above its own baseline, and show evidence of their own.",
        analytic_type=STATISTICAL,
        techniques=(EXTRACT, ACCOUNTS, PROXIES),
    ),
    "canary_hit": AttackKind(
        title="canary seen again",
        desc="A canary that was placed in an answer came back: the answer was collected and used.",
        analytic_type=FINGERPRINTING,
        techniques=(EXTRACT, THEFT),
    ),
    "hard_ceiling": AttackKind(
        title="request rate above the hard ceiling",
        desc="More requests in one minute than any legitimate use of one account.",
        analytic_type=RULE,
        techniques=(EXTRACT, EXCESSIVE),
    ),
}
OTHER_KIND: Final = AttackKind(
    title="sign of model extraction",
    desc="The subject's use of the model differs from the population's in a way that model extraction would explain.",
    analytic_type=BEHAVIORAL,
    techniques=(EXTRACT,),
)


GROUP_SIGNALS: Final[dict[str, tuple[str, str]]] = {
    "surge": ("surge of accounts", "Accounts arrived in the group far above its own baseline"),
    "fan_in": ("new accounts gather", "More accounts never seen before began in the group than its size explains"),
    "synchrony": ("accounts act in step", "Accounts of the group are active at the same moments"),
    "hand_over": ("accounts relieve each other", "As one account of the group stops, another starts"),
    "under_dispersion": ("steady load over several accounts", "The group's load is steadier than independent users'"),
    "sign_up_batch": ("accounts created together", "Accounts of the group were created on the same day"),
}
"""What is unusual about a group: the part of a kind after the group's (`payment_hand_over`)."""


def kind_of(kind: str) -> AttackKind:
    """The table's entry, or one that is true of every kind: a new detector needs no new schema."""
    known = KINDS.get(kind)
    signal = GROUP_SIGNALS.get(kind.partition("_")[2])
    if known is not None or signal is None:
        return known or OTHER_KIND
    return AttackKind(
        title=signal[0],
        desc=f"{signal[1]}, and its members show evidence of model extraction of their own.",
        analytic_type=STATISTICAL,
        techniques=(EXTRACT, ACCOUNTS, PROXIES),
    )
