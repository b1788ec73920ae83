"""Benign-only simulated traffic through the account engine, to see whether the false-positive budgets hold.

Every alert is false, because nobody attacks in `quiet-week`. An account-day is an account that sent something on a day
(UTC); days on which an account is silent are not counted, although the budget would allow it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec
from stillwatch_models.config import EngineConfig
from stillwatch_models.engine import AccountEngine
from stillwatch_models.incidents import TIERS
from stillwatch_models.shard import Batch
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.sketch import Sketcher
from stillwatch_streams.replay.statistics import Share, share
from stillwatch_streams.simulator.generate import generate, labels
from stillwatch_streams.simulator.scenario import load_scenario

SCENARIO = "quiet-week"
START_MS = 1_772_409_600_000
"""2026-03-02, a Monday."""
DAY_MS = 86_400_000
BATCH = 4_000
PER = 10_000
"""Budgets are per so many account-days."""
KEY = b"a key for simulated traffic only"


class Tier(msgspec.Struct, frozen=True):
    """Benign accounts that reached a tier or a higher one."""

    tier: str
    budget_per_10k_account_days: float
    accounts: int
    per_10k_account_days: float
    low: float
    high: float
    """Clopper-Pearson's 95 % interval of the rate."""


class Soak(msgspec.Struct, frozen=True):
    """What a run measured."""

    scenario: str
    seed: int
    days: float
    accounts: int
    events: int
    account_days: int
    tiers: tuple[Tier, ...]
    alerted: dict[str, int]
    """Accounts alerted by archetype."""
    drifts: int
    reference_distance_permille: int


def soak(days: float, seed: int, config: EngineConfig | None = None) -> Soak:
    """Run so many simulated days; equal arguments give equal results."""
    scenario = msgspec.structs.replace(load_scenario(SCENARIO), days=days)
    config = config or EngineConfig()
    engine, sketcher = AccountEngine(config, 0), Sketcher(KEY)
    active: set[tuple[str, int]] = set()
    findings: list[Finding] = []
    events = (labelled.event for labelled in generate(scenario, seed, START_MS))
    offset = 0
    while batch := sketched(list(islice(events, BATCH)), sketcher):
        active.update((event.account_id, event.ts // DAY_MS) for event in batch)
        offsets = list(range(offset, offset + len(batch)))
        offset += len(batch)
        findings += engine.process(Batch(items=list(batch), offsets=offsets, next_offset=offset)).findings
    findings += engine.finish().findings
    archetypes = {label.account_id: label.archetype for label in labels(scenario, seed)}
    alerted = {finding.subject for finding in findings if finding.subject_kind == "account"}
    kinds = sorted(archetypes[account] for account in alerted)
    return Soak(
        scenario=SCENARIO,
        seed=seed,
        days=days,
        accounts=len({account for account, _ in active}),
        events=offset,
        account_days=len(active),
        tiers=tuple(_tiers(findings, len(active), config)),
        alerted={kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
        **engine.scorer.calibration.counters(),
    )


def sketched(events: list[RequestEvent], sketcher: Sketcher) -> list[RequestEvent]:
    """Events as a gateway in privacy mode sends them: sketches instead of texts."""
    sketches = sketcher.sketch_many([(event.prompt, event.system_prompt) for event in events])
    return [
        msgspec.structs.replace(event, prompt=None, system_prompt=None, sketch=sketch)
        for event, sketch in zip(events, sketches, strict=True)
    ]


def _tiers(findings: list[Finding], account_days: int, config: EngineConfig) -> Iterator[Tier]:
    names = [name for name, _ in TIERS]
    budgets = (config.budget_per_10k_account_days, config.tier_budgets.high, config.tier_budgets.critical)
    for position, (name, budget) in enumerate(zip(names, budgets, strict=True)):
        reached = {f.subject for f in findings if f.subject_kind == "account" and names.index(f.tier) >= position}
        found: Share = share(len(reached), account_days)
        yield Tier(name, budget, len(reached), PER * found.rate, PER * found.low, PER * found.high)
