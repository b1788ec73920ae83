"""The engine's settings: frozen, validated once, hashed into every alert id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from stillwatch_schemas.errors import StateError

Positive = Annotated[float, msgspec.Meta(gt=0)]
PositiveInt = Annotated[int, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]

MEASURES = (
    "pane_seconds",
    "evidence_block_seconds",
    "evidence_restart_seconds",
    "reference_seconds",
    "group_window_seconds",
    "text_memory",
    "seed",
)
"""Settings that state is counted in (numbers of panes, blocks, epochs, windows; places in the ring; splits of the
trees): under other values old state means something else, and events would be taken for counted already."""


class PolicyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How findings become directives. Shadow by default: nothing is enforced until an operator says so."""

    mode: Literal["shadow", "enforce"] = "shadow"
    """`shadow` (directives are published, serving only counts them) or `enforce`."""
    directive_ttl_seconds: PositiveInt = 4 * 3_600
    """Every directive expires after this time unless the incident goes on."""
    max_account_share: Share = 0.02
    """Blast radius: at most this share of the accounts seen may be under any action other than observe."""
    suspend_needs_human: bool = True
    """The policy never suspends by itself; the hardest throttle takes its place."""


class TierBudgets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of the false-positive budget that may reach a higher tier, where more is done to an account."""

    high: Positive = 0.5
    """Benign accounts that reach the tier `high` (throttled when enforcing), per 10,000 account-days."""
    critical: Positive = 0.0001
    """Benign accounts that reach the tier `critical` (suspended, if no human is needed), per 10,000 account-days."""


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can change a result. Two runs with equal configuration and input give equal bytes."""

    pane_seconds: Positive = 10.0
    """Length of an event-time pane: accounts are scored when one closes."""
    lateness_seconds: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    """How late an event may be and still be folded into its own pane."""
    max_entities: PositiveInt = 1_000_000
    """Accounts kept per partition; beyond it the newest one-event accounts go first, counted."""
    text_memory: Annotated[int, msgspec.Meta(ge=16_384)] = 131_072
    """Texts whose first sender is remembered, per partition; more than are folded at once."""
    idle_evict_seconds: Positive = 14 * 86_400.0
    """Event time after which an account that sent nothing is forgotten."""
    evidence_block_seconds: Positive = 3_600.0
    """Length of a block of event time; suspicious behaviour must recur in several."""
    evidence_restart_seconds: Positive = 2 * 86_400.0
    """Epoch of event time at which the harvest test of an account starts again, besides the one of its whole life."""
    persistence_blocks: PositiveInt = 8
    """Blocks with harvest events before an account is reported ..."""
    persistence_events: PositiveInt = 600
    """... unless it has sent so many of them."""
    reference_seconds: Positive = 3_600.0
    """How often the population that everyone is measured against is frozen anew."""
    frozen_reference_seconds: Positive = 7 * 86_400.0
    """Event time after which the population is kept as the frozen reference, against which slow drift shows."""
    teach_seconds: Positive = 600.0
    """An account teaches the learners at most once in this time."""
    min_reference_accounts: PositiveInt = 50
    """Accounts in the population before anything is said."""
    min_events: PositiveInt = 8
    """Events of an account before anything is said about it."""
    budget_per_10k_account_days: Positive = 5.0
    """The false-positive budget of all tiers: benign accounts alerted per 10,000 account-days."""
    tier_budgets: TierBudgets = TierBudgets()
    """What of it may reach the higher tiers; a tier never asks for less than the one below it."""
    hard_ceiling_per_minute: PositiveInt = 3_000
    """Requests of one account in one minute that raise an alert without waiting for a pane."""
    refresh_seconds: Positive = 2 * 3_600.0
    """An open incident whose account goes on is reported again after this time, which renews its directives."""
    rejected_seconds: Positive = 30 * 86_400.0
    """How long a benign verdict makes the behaviour that it accepted innocent for the account."""
    group_window_seconds: Positive = 600.0
    """Windows in which arrivals in a group are counted and compared with the group's own past."""
    group_history_windows: PositiveInt = 144
    """Windows of a group's past before a surge may be reported."""
    campaign_idle_seconds: Positive = 7 * 86_400.0
    """A campaign without a clump for this time is over; accounts silent for this time are not compared any more."""
    campaign_patience_epochs: PositiveInt = 6
    """A source partition so many epochs behind the foremost one is not waited for when accounts are compared."""
    max_profiles: PositiveInt = 50_000
    """Accounts that are compared with each other; beyond it those silent longest go first."""
    group_span_events: PositiveInt = 65_536
    """Events that wait for their group window's end, per partition; beyond it part of the window is told early."""
    max_groups: PositiveInt = 65_536
    """Groups kept per partition; beyond it those not seen for longest go first, of these the smallest, counted."""
    source_silence_seconds: Positive = 6 * 3_600.0
    """Event time by which a source partition may lag behind the first before groups stop waiting for it, counted."""
    seed: int = 7
    """Seed of the Half-Space Trees' splits."""
    disabled_signals: tuple[str, ...] = ()
    """Signals that are computed but count for nothing, by name, such as `template_mass`; see docs/detection.md."""
    policy: PolicyConfig = PolicyConfig()

    def measures(self) -> dict[str, float]:
        """The settings that state is counted in, to be kept with it."""
        return {name: float(getattr(self, name)) for name in MEASURES}

    def refuse_other_measures(self, kept: Mapping[str, float], partition: int) -> None:
        """Raise StateError where state of a partition was counted in other measures than these."""
        now = self.measures()
        other = [f"engine.{name} {kept[name]:g} (now {now[name]:g})" for name in kept if kept[name] != now.get(name)]
        if other:
            raise StateError(
                f"the checkpoint of partition {partition} was written with {', '.join(other)}; state is counted in it:"
                " go back to that setting, or start afresh with --reset-state"
            )

    def hash(self) -> str:
        """12 hex digits that name this configuration."""
        return hashlib.blake2b(msgspec.json.encode(self, order="deterministic"), digest_size=6).hexdigest()
