"""Findings about accounts: what an account's incident has become with a pane, and why."""

from __future__ import annotations

from stillwatch_schemas.findings import Evidence, Finding, Ruling

from stillwatch_models.account_state import AccountState
from stillwatch_models.explain import reasons
from stillwatch_models.fold import Cells
from stillwatch_models.incidents import DISTILLATION, TIERS, Header, finding
from stillwatch_models.open_panes import EventIds
from stillwatch_models.scoring import TRANSITIONS, Scored
from stillwatch_models.verdict_evidence import verdict_evidence

EXAMPLES = 5
"""Example event ids in a finding."""


def account_finding(
    state: AccountState, cells: Cells, scored: Scored, cell: int, ids: EventIds, *, shard: int, pane_ms: int
) -> Finding:
    """What a cell did to its account's incident; it must have done something."""
    activity = TRANSITIONS[int(scored.transition[cell])]
    if activity is None:
        raise AssertionError("a cell without a transition makes no finding")
    scorer = state.scorer
    slot, row = int(cells.slot[cell]), scorer.feedback.since(cells.after[cell : cell + 1])[0]
    header = Header(
        subject_kind="account",
        subject=state.table.account(slot),
        kind=DISTILLATION,
        first_pane=int(scored.first_pane[cell]),
        activity=activity,
        pane=int(cells.pane[cell]),
        pane_ms=pane_ms,
        config_hash=state.config_hash,
    )
    nats = float(scored.nats[cell])
    told, ruling = _judged(state, header.subject)
    if ruling == "confirmed":
        nats = max(nats, TIERS[-1][1] * scorer.threshold)
    offsets = cells.events["offset"][cells.start[cell] : cells.start[cell] + min(cells.count[cell], EXAMPLES)]
    return finding(
        header,
        tier=int(scored.tier[cell]),
        evidence_nats=nats,
        threshold=scorer.threshold,
        evidence=[*reasons(scorer, scored, cell, row, tuple(ids.of(offsets))), *told],
        exchanges=int(row["events"]),
        asn=int(row["asn"]) or None,
        first_seen_ms=int(row["first_ms"]),
        last_seen_ms=int(row["last_ts"]),
        shard=shard,
        shard_accounts=state.known_accounts,
        ruling=ruling,
    )


def _judged(state: AccountState, account: str) -> tuple[list[Evidence], Ruling | None]:
    """What an analyst has said about the account, as evidence, and whether that confirmed it."""
    judged = state.scorer.feedback.of(account)
    return (
        ([verdict_evidence(judged)], "confirmed" if judged.label == "distillation" else None) if judged else ([], None)
    )
