"""The engine's settings: frozen, validated once, hashed into every alert id."""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
PositiveInt = Annotated[int, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class PolicyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How findings become directives. Shadow by default: nothing is enforced until an operator says so."""

    mode: str = "shadow"
    """`shadow` (directives are published, serving only counts them) or `enforce`."""
    directive_ttl_seconds: PositiveInt = 3_600
    max_account_share: Share = 0.02
    """Blast radius: at most this share of the accounts seen may be under any action other than observe."""
    suspend_needs_human: bool = True


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can change a result. Two runs with equal configuration and input give equal bytes."""

    pane_seconds: Positive = 10.0
    lateness_seconds: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    max_entities: PositiveInt = 1_000_000
    """Accounts kept per partition; beyond it the newest one-event accounts go first, counted."""
    idle_evict_seconds: Positive = 14 * 86_400.0
    budget_per_10k_account_days: Positive = 5.0
    """The false-positive budget: benign accounts alerted per 10,000 account-days."""
    hard_ceiling_per_minute: PositiveInt = 3_000
    """Requests of one account in one minute that raise an alert without waiting for a pane."""
    seed: int = 7
    policy: PolicyConfig = PolicyConfig()

    def hash(self) -> str:
        """12 hex digits that name this configuration."""
        return hashlib.blake2b(msgspec.json.encode(self, order="deterministic"), digest_size=6).hexdigest()
