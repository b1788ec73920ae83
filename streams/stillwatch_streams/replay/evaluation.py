"""Results against ground truth: pure functions from scores, alerts and labels to figures.

What is counted, and how, is said in docs/replay.md. An account counts as *alerted* when it has an alert of its own, as
*reported* when it is a member of a reported campaign. A distilling account without an attack exchange in the span has
not shown itself yet: it counts as neither found nor missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from stillwatch_models.accounts import AccountRow
from stillwatch_models.incidents import CAMPAIGN_MEMBER

from stillwatch_streams.replay.among import among, among_by
from stillwatch_streams.replay.campaign_results import (
    CampaignResult,
    ReportedCampaign,
    campaign_results,
    first_reports,
    purity_of,
)
from stillwatch_streams.replay.recall import FALSE_POSITIVE_RATES, RecallAt, recall_at
from stillwatch_streams.replay.results import Member, Note
from stillwatch_streams.replay.statistics import Share, median, share
from stillwatch_streams.replay.truth import DAY_MS, Truth

PER = 10_000
"""The false-positive budget is granted for so many account-days."""


class BudgetUse(msgspec.Struct, frozen=True):
    """What the false-positive budget came to: benign accounts alerted per 10,000 account-days, with 95 % interval."""

    alerted: int
    account_days: int
    """Days (UTC) on which a benign account sent something, over all benign accounts."""
    per_10k: float
    low: float
    high: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that replay says against labels."""

    benign_accounts: int
    distill_accounts: int
    """With an attack exchange in the span."""
    dormant_accounts: int
    """Distilling accounts that were seen, but without an attack exchange: counted nowhere else."""
    recall: tuple[RecallAt, ...]
    campaigns: tuple[CampaignResult, ...]
    campaigns_found: Share
    leaked_share_median: float | None
    leaked_share_worst: float | None
    leaked_worst: int | None
    """The most exchanges that a campaign leaked before its first alert."""
    uncontained_share: float | None
    """Of all attack exchanges, those before their own account was alerted or reported."""
    benign_alerted: Share
    benign_reported: Share
    benign_alerted_by_archetype: dict[str, Share]
    benign_reported_by_archetype: dict[str, Share]
    budget_use: BudgetUse
    distill_alerted: Share
    day_one_alerts: dict[str, int]
    """Incidents opened within 24 hours of the first event, by kind of subject."""
    day_one_group_alerts: int
    """Those among them about a campaign, one of its members as such, or another group."""
    reported_campaigns: tuple[ReportedCampaign, ...]
    purity: Share
    """Members that belong, over all reported campaigns together."""


def evaluate(
    truth: Truth, accounts: Iterable[AccountRow], members: Sequence[Member], notes: Iterable[Note]
) -> Evaluation:
    """All figures. An account without a result ranks below every other."""
    results = {account.account_id: account for account in accounts}
    counted = truth.counted().values()
    benign = [label for label in counted if not label.distill]
    distill = [label for label in counted if label.distill]
    alerted = {name: result.first_alert_ts for name, result in results.items() if result.first_alert_ts is not None}
    reported = first_reports(members)
    campaigns = tuple(campaign_results(truth, distill, alerted, reported))
    leaks = [campaign.leaked_share for campaign in campaigns]
    exchanges = sum(campaign.exchanges for campaign in campaigns)
    pure = tuple(purity_of(members, truth.labels))
    opened = [note for note in notes if note.activity == "create" and note.time_ms < truth.start_ms + DAY_MS]
    benign_alerted = among(benign, alerted)
    return Evaluation(
        benign_accounts=len(benign),
        distill_accounts=len(distill),
        dormant_accounts=len(truth.labels) - len(counted),
        recall=tuple(recall_at(rate, results, benign, distill) for rate in FALSE_POSITIVE_RATES),
        campaigns=campaigns,
        campaigns_found=share(sum(campaign.found for campaign in campaigns), len(campaigns)),
        leaked_share_median=median(leaks),
        leaked_share_worst=max(leaks, default=None),
        leaked_worst=max((campaign.leaked for campaign in campaigns), default=None),
        uncontained_share=sum(one.uncontained for one in campaigns) / exchanges if exchanges else None,
        benign_alerted=benign_alerted,
        benign_reported=among(benign, reported),
        benign_alerted_by_archetype=among_by(benign, "archetype", alerted),
        benign_reported_by_archetype=among_by(benign, "archetype", reported),
        budget_use=budget_use(benign_alerted.hits, truth.benign_account_days),
        distill_alerted=among(distill, alerted),
        day_one_alerts=dict(sorted(Counter(note.subject_kind for note in opened).items())),
        day_one_group_alerts=sum(note.subject_kind != "account" or note.kind == CAMPAIGN_MEMBER for note in opened),
        reported_campaigns=pure,
        purity=share(sum(one.belonging.hits for one in pure), sum(one.belonging.total for one in pure)),
    )


def budget_use(alerted: int, account_days: int) -> BudgetUse:
    """Alerted accounts against account-days; an account is alerted at most once, so they are trials of a share."""
    found = share(alerted, max(alerted, account_days))
    return BudgetUse(alerted, account_days, PER * found.rate, PER * found.low, PER * found.high)
