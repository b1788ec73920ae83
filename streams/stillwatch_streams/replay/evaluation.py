"""Results against ground truth: pure functions from scores, alerts and labels to figures.

What is counted, and how, is said in docs/replay.md. An account counts as *alerted* when it has an alert of its own, as
*reported* when it is a member of a reported campaign.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from stillwatch_models.accounts import AccountRow

from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.results import Member, Note
from stillwatch_streams.replay.statistics import Share, median, share, threshold_for

FALSE_POSITIVE_RATES = (0.01, 0.001)
FOUND_SHARE = 0.3
"""A campaign counts as found when this share of its accounts is alerted or reported."""
DAY_MS = 86_400_000


class RecallAt(msgspec.Struct, frozen=True):
    """Recall when accounts are ranked by `score` and the threshold allows this rate of benign accounts."""

    false_positive_rate: float
    threshold: float | None
    """A score must exceed it; None where every score would do."""
    pooled: Share
    macro: float
    """Mean over campaigns of each campaign's recall: a large campaign counts no more than a small one."""
    by_campaign: dict[str, Share]
    by_family: dict[str, Share]
    by_archetype: dict[str, Share]
    """Benign accounts above the threshold, by archetype."""


class CampaignResult(msgspec.Struct, frozen=True):
    """How one true campaign fared."""

    campaign_id: str
    family: str
    accounts: int
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


class ReportedCampaign(msgspec.Struct, frozen=True):
    """How pure one reported campaign is."""

    campaign_id: str
    members: int
    mostly: str | None
    """The true campaign that most of its members belong to; None where all are benign."""
    belonging: Share


class Evaluation(msgspec.Struct, frozen=True):
    """Everything that replay says against labels."""

    benign_accounts: int
    distill_accounts: int
    recall: tuple[RecallAt, ...]
    campaigns: tuple[CampaignResult, ...]
    campaigns_found: Share
    leaked_share_median: float | None
    leaked_share_worst: float | None
    benign_alerted: Share
    benign_reported: Share
    benign_alerted_by_archetype: dict[str, Share]
    distill_alerted: Share
    day_one_alerts: dict[str, int]
    """Alerts opened within 24 hours of the first event, by kind of subject."""
    reported_campaigns: tuple[ReportedCampaign, ...]
    purity: Share
    """Members that belong, over all reported campaigns together."""


class Truth(msgspec.Struct, frozen=True):
    """Ground truth of what was replayed."""

    labels: Mapping[str, Label]
    """Of the accounts that had an event."""
    attack_times: Mapping[str, Sequence[int]]
    """Event times of each campaign's attack exchanges."""
    start_ms: int


def evaluate(
    truth: Truth, accounts: Iterable[AccountRow], members: Sequence[Member], notes: Iterable[Note]
) -> Evaluation:
    """All figures. An account without a result ranks below every other."""
    results = {account.account_id: account for account in accounts}
    benign = [label for label in truth.labels.values() if not label.distill]
    distill = [label for label in truth.labels.values() if label.distill]
    alerted = {name: result.first_alert_ts for name, result in results.items() if result.first_alert_ts is not None}
    reported = first_reports(members)
    campaigns = tuple(_campaigns(truth, distill, alerted, reported))
    leaks = [campaign.leaked_share for campaign in campaigns if campaign.exchanges]
    pure = tuple(purity_of(members, truth.labels))
    return Evaluation(
        benign_accounts=len(benign),
        distill_accounts=len(distill),
        recall=tuple(recall_at(rate, results, benign, distill) for rate in FALSE_POSITIVE_RATES),
        campaigns=campaigns,
        campaigns_found=share(sum(campaign.found for campaign in campaigns), len(campaigns)),
        leaked_share_median=median(leaks),
        leaked_share_worst=max(leaks, default=None),
        benign_alerted=_among(benign, alerted),
        benign_reported=_among(benign, reported),
        benign_alerted_by_archetype=_by(benign, "archetype", alerted),
        distill_alerted=_among(distill, alerted),
        day_one_alerts=_day_one(notes, truth.start_ms),
        reported_campaigns=pure,
        purity=share(sum(one.belonging.hits for one in pure), sum(one.belonging.total for one in pure)),
    )


def score_of(results: Mapping[str, AccountRow], account: str) -> float:
    """An account's ranking score; not a number, or no result at all, ranks last."""
    result = results.get(account)
    return -math.inf if result is None or math.isnan(result.score) else result.score


def recall_at(
    rate: float, results: Mapping[str, AccountRow], benign: Sequence[Label], distill: Sequence[Label]
) -> RecallAt:
    """Recall at one false-positive rate."""
    threshold = threshold_for([score_of(results, label.account_id) for label in benign], rate)
    above = {label.account_id for label in (*benign, *distill) if score_of(results, label.account_id) > threshold}
    by_campaign = _by(distill, "campaign_id", above)
    return RecallAt(
        false_positive_rate=rate,
        threshold=threshold if math.isfinite(threshold) else None,
        pooled=_among(distill, above),
        macro=sum(one.rate for one in by_campaign.values()) / max(1, len(by_campaign)),
        by_campaign=by_campaign,
        by_family=_by(distill, "family", above),
        by_archetype=_by(benign, "archetype", above),
    )


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


def leaked_before(first_alert_ts: int | None, times: Sequence[int]) -> int:
    """Exchanges that happened before the alert; all of them without one."""
    return len(times) if first_alert_ts is None else sum(ts < first_alert_ts for ts in times)


def _campaigns(
    truth: Truth, distill: Sequence[Label], alerted: Mapping[str, int], reported: Mapping[str, int]
) -> Iterable[CampaignResult]:
    groups: dict[str, list[Label]] = defaultdict(list)
    for label in distill:
        groups[label.campaign_id].append(label)
    for campaign, labels in sorted(groups.items()):
        accounts = [label.account_id for label in labels]
        first = [when[account] for account in accounts for when in (alerted, reported) if account in when]
        times = truth.attack_times.get(campaign, ())
        leaked = leaked_before(min(first, default=None), times)
        caught = sum(account in alerted or account in reported for account in accounts)
        yield CampaignResult(
            campaign_id=campaign,
            family=labels[0].family,
            accounts=len(accounts),
            alerted=sum(account in alerted for account in accounts),
            reported=sum(account in reported for account in accounts),
            caught=share(caught, len(accounts)),
            found=caught >= FOUND_SHARE * len(accounts),
            first_alert_ts=min(first, default=None),
            exchanges=len(times),
            leaked=leaked,
            leaked_share=leaked / len(times) if times else 0.0,
        )


def _day_one(notes: Iterable[Note], start_ms: int) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for note in notes:
        if note.activity == "create" and note.time_ms < start_ms + DAY_MS:
            counts[note.subject_kind] += 1
    return dict(sorted(counts.items()))


def _among(labels: Sequence[Label], hit: Iterable[str]) -> Share:
    """Share of the labelled accounts that are in `hit`."""
    wanted = frozenset(hit)
    return share(sum(label.account_id in wanted for label in labels), len(labels))


def _by(labels: Sequence[Label], field: str, hit: Iterable[str]) -> dict[str, Share]:
    """The same, for each value of a label's field."""
    groups: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        groups[getattr(label, field)].append(label)
    wanted = frozenset(hit)
    return {name: _among(group, wanted) for name, group in sorted(groups.items())}
