"""The two CSV files: every account seen, and every member of every reported campaign."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from stillwatch_models.accounts import AccountRow

from stillwatch_streams.replay.results import Member

ACCOUNT_HEADER = ("account_id", "score", "max_score", "first_alert_ts", "campaign_id", "events")
CAMPAIGN_HEADER = ("campaign_id", "account_id", "first_alert_ts")


def account_results(summaries: Iterable[AccountRow], campaign_of: Mapping[str, str]) -> list[AccountRow]:
    """One result an account, the highest score first.

    An account that several partitions know (a topic keyed by something else) is put together: scores by maximum, events
    by sum.
    """
    found: dict[str, AccountRow] = {}
    for one in summaries:
        campaign = one.campaign_id or campaign_of.get(one.account_id)
        result = msgspec.structs.replace(one, campaign_id=campaign)
        known = found.get(one.account_id)
        found[one.account_id] = result if known is None else _together(known, result)
    return sorted(found.values(), key=lambda result: (-result.score, result.account_id))


def _together(one: AccountRow, other: AccountRow) -> AccountRow:
    alerts = [ts for ts in (one.first_alert_ts, other.first_alert_ts) if ts is not None]
    return AccountRow(
        account_id=one.account_id,
        score=max(one.score, other.score),
        max_score=max(one.max_score, other.max_score),
        first_alert_ts=min(alerts, default=None),
        campaign_id=one.campaign_id or other.campaign_id,
        events=one.events + other.events,
    )


def accounts_csv(results: Iterable[AccountRow]) -> bytes:
    """`accounts.csv`; an absent value is an empty field."""
    return _csv(
        ACCOUNT_HEADER,
        (
            (one.account_id, repr(one.score), repr(one.max_score), one.first_alert_ts, one.campaign_id, one.events)
            for one in results
        ),
    )


def campaigns_csv(members: Sequence[Member]) -> bytes:
    """`campaigns.csv`, one row a member."""
    return _csv(CAMPAIGN_HEADER, ((one.campaign_id, one.account_id, one.first_alert_ts) for one in members))


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
