"""How true campaigns fared, and how pure reported ones are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from stillwatch_streams.replay.among import grouped
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.results import Member
from stillwatch_streams.replay.statistics import Share, share
from stillwatch_streams.replay.truth import Truth

FOUND_SHARE = 0.3
"""A campaign counts as found when this share of its accounts is alerted or reported."""


class CampaignResult(msgspec.Struct, frozen=True):
    """How one true campaign fared."""

    campaign_id: str
    family: str
    accounts: int
    """With an attack exchange in the span."""
    alerted: int
    reported: int
    caught: Share
    """Alerted or reported."""
    found: bool
    first_alert_ts: int | None
    exchanges: int
    leaked: int
    """Attack exchanges before the first alert or report of any member; all of them if there was none."""
    leaked_share: float
    uncontained: int
    """Attack exchanges that came before their own account's alert or report; all of an account that had none."""
    uncontained_share: float


class ReportedCampaign(msgspec.Struct, frozen=True):
    """How pure one reported campaign is."""

    campaign_id: str
    members: int
    mostly: str | None
    """The true campaign that most of its members belong to; None where all are benign."""
    belonging: Share


def campaign_results(
    truth: Truth, distill: Sequence[Label], alerted: Mapping[str, int], reported: Mapping[str, int]
) -> list[CampaignResult]:
    """One result a campaign, by name; `alerted` and `reported` hold each account's first time."""
    return [
        _campaign(campaign, labels, truth.exchanges.get(campaign, {}), alerted, reported)
        for campaign, labels in grouped(distill, "campaign_id").items()
    ]


def _campaign(
    campaign: str,
    labels: Sequence[Label],
    exchanges: Mapping[str, Sequence[int]],
    alerted: Mapping[str, int],
    reported: Mapping[str, int],
) -> CampaignResult:
    accounts = [label.account_id for label in labels]
    caught = earliest_of(alerted, reported)
    first = min((caught[account] for account in accounts if account in caught), default=None)
    times = list(chain.from_iterable(exchanges.values()))
    leaked = before(first, times)
    uncontained = sum(before(caught.get(account), own) for account, own in exchanges.items())
    hits = sum(account in caught for account in accounts)
    return CampaignResult(
        campaign_id=campaign,
        family=labels[0].family,
        accounts=len(accounts),
        alerted=sum(account in alerted for account in accounts),
        reported=sum(account in reported for account in accounts),
        caught=share(hits, len(accounts)),
        found=hits >= FOUND_SHARE * len(accounts),
        first_alert_ts=first,
        exchanges=len(times),
        leaked=leaked,
        leaked_share=leaked / len(times) if times else 0.0,
        uncontained=uncontained,
        uncontained_share=uncontained / len(times) if times else 0.0,
    )


def earliest_of(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Each account's earlier time."""
    return {account: min(times[account] for times in (one, other) if account in times) for account in {*one, *other}}


def before(first_alert_ts: int | None, times: Sequence[int]) -> int:
    """Exchanges that happened before the alert; all of them without one."""
    return len(times) if first_alert_ts is None else sum(ts < first_alert_ts for ts in times)


def first_reports(members: Iterable[Member]) -> dict[str, int]:
    """When each account was first a member of something reported."""
    first: dict[str, int] = {}
    for member in members:
        first[member.account_id] = min(first.get(member.account_id, member.first_alert_ts), member.first_alert_ts)
    return first


def purity_of(members: Iterable[Member], labels: Mapping[str, Label]) -> list[ReportedCampaign]:
    """For each reported campaign, the share of its members that belong to the true campaign most of them belong to."""
    groups: dict[str, list[str]] = defaultdict(list)
    for member in members:
        label = labels.get(member.account_id)
        groups[member.campaign_id].append(label.campaign_id if label and label.distill else "")
    found = []
    for campaign, truths in sorted(groups.items()):
        guilty = sorted(truth for truth in truths if truth)
        mostly = max(guilty, key=guilty.count) if guilty else None
        belonging = share(guilty.count(mostly) if mostly else 0, len(truths))
        found.append(ReportedCampaign(campaign, len(truths), mostly, belonging))
    return found
