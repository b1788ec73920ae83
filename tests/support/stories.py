"""Small finished replays, made by hand: a story with its figures, from accounts, alerts and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch_models.accounts import AccountRow
from stillwatch_models.config import EngineConfig
from stillwatch_streams.replay.evaluation import evaluate
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.report import Story
from stillwatch_streams.replay.results import Member, Note
from stillwatch_streams.replay.summary import Summary
from stillwatch_streams.replay.truth import Truth
from support.builders import T0


def make_label(account: str, campaign: str = "", archetype: str = "human", family: str = "f") -> Label:
    """A benign account, or with a campaign a distilling one."""
    if not campaign:
        return Label(account, distill=False, archetype=archetype, campaign_id="", family="")
    return Label(account, distill=True, archetype=archetype, campaign_id=campaign, family=family)


def make_row(account: str, score: float, first_alert_ts: int | None = None) -> AccountRow:
    """An account that scored so, and was alerted then."""
    return AccountRow(account, score, score, first_alert_ts, None, 10)


def make_note(subject: str, time_ms: int = T0, **overrides: Any) -> Note:
    """The alert that opens an incident about an account."""
    fields: dict[str, Any] = {
        "time_ms": time_ms,
        "kind": "distillation",
        "activity": "create",
        "tier": "high",
        "subject_kind": "account",
        "subject": subject,
        "reasons": (),
    }
    return Note(**(fields | overrides))


def make_summary(**overrides: Any) -> Summary:
    """Two days of an uneventful run."""
    fields: dict[str, Any] = {
        "events": 12_345,
        "seconds": 5.0,
        "events_per_s": 2_469.0,
        "cpu_seconds": 4.9,
        "busiest_cpu_seconds": 4.9,
        "alerts": 2,
        "incidents": 1,
        "alerts_by_kind": {"distillation": 2},
        "directives": {"throttle": 1},
        "accounts": 3,
        "accounts_alerted": 1,
        "dead_letters": {},
        "first_ts": T0,
        "last_ts": T0 + 2 * 86_400_000,
        "partitions": 4,
        "sources": ["events.jsonl"],
        "config_hash": "abc",
        "config": EngineConfig(),
        "interrupted": False,
        "error": None,
    }
    return Summary(**(fields | overrides))


def make_story(
    accounts: Sequence[AccountRow],
    notes: Sequence[Note] = (),
    *,
    labels: Sequence[Label] = (),
    members: Sequence[Member] = (),
    **overrides: Any,
) -> Story:
    """A finished run; every distilling account attacked once an hour for a day, from T0 on."""
    by_name = {label.account_id: label for label in labels}
    if labels:
        exchanges: dict[str, dict[str, list[int]]] = {}
        for label in labels:
            if label.distill:
                hours = [T0 + hour * 3_600_000 for hour in range(24)]
                exchanges.setdefault(label.campaign_id, {})[label.account_id] = hours
        truth = Truth(by_name, exchanges, T0, benign_account_days=100)
        overrides = {"evaluation": evaluate(truth, accounts, members, notes)} | overrides
    return Story(make_summary(**overrides), list(accounts), list(notes), by_name, list(members))
