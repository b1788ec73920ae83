"""The figures of two evaluations side by side, with what changed account by account.

Two intervals that overlap say little about two runs on the same accounts; what they disagree about does. So shares of
accounts come with the accounts gained and lost and the exact p-value of McNemar's test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from stillwatch_streams.replay.campaign_results import CampaignResult
from stillwatch_streams.replay.evaluation import Evaluation
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.recall import RecallAt, accounts_above
from stillwatch_streams.replay.report.story import Story
from stillwatch_streams.replay.statistics import Mean, Share, sign_test


class Paired(msgspec.Struct, frozen=True):
    """A share of accounts in both runs."""

    figure: str
    a: Share
    b: Share
    gained: int
    """Accounts that only B has."""
    lost: int
    """Accounts that only A has."""
    p_value: float
    """Of gains and losses this uneven, were both equally likely."""


class MacroRecall(msgspec.Struct, frozen=True):
    """Recall averaged over campaigns."""

    false_positive_rate: float
    a: Mean
    b: Mean


class CampaignPair(msgspec.Struct, frozen=True):
    """A true campaign in both runs."""

    campaign_id: str
    family: str
    accounts: int
    recall_a: dict[str, Share]
    """By false-positive rate."""
    recall_b: dict[str, Share]
    a: CampaignResult
    b: CampaignResult


class ArchetypePair(msgspec.Struct, frozen=True):
    """Benign accounts alerted of one archetype."""

    archetype: str
    a: Share
    b: Share


class LabelledDifferences(msgspec.Struct, frozen=True):
    """Everything that needs labels."""

    shares: tuple[Paired, ...]
    macro: tuple[MacroRecall, ...]
    campaigns_found_a: Share
    campaigns_found_b: Share
    campaigns: tuple[CampaignPair, ...]
    archetypes: tuple[ArchetypePair, ...]


def compare_evaluations(a: Story, b: Story) -> LabelledDifferences | None:
    """The figures of both; None without labels."""
    one, other = a.summary.evaluation, b.summary.evaluation
    if one is None or other is None:
        return None
    return LabelledDifferences(
        shares=tuple(_shares(a, b, one, other)),
        macro=tuple(
            MacroRecall(mine.false_positive_rate, mine.macro_interval, theirs.macro_interval)
            for mine, theirs in zip(one.recall, other.recall, strict=True)
        ),
        campaigns_found_a=one.campaigns_found,
        campaigns_found_b=other.campaigns_found,
        campaigns=tuple(_campaigns(one, other)),
        archetypes=tuple(
            ArchetypePair(name, alerted, other.benign_alerted_by_archetype[name])
            for name, alerted in one.benign_alerted_by_archetype.items()
        ),
    )


def _shares(a: Story, b: Story, one: Evaluation, other: Evaluation) -> Iterator[Paired]:
    labels = a.labels
    for mine, theirs in zip(one.recall, other.recall, strict=True):
        ours, their = caught_at(mine, a), caught_at(theirs, b)
        yield paired(f"recall at {mine.false_positive_rate:.1%}", mine.pooled, theirs.pooled, ours, their)
    for name, distill, mine_share, their_share in (
        ("distilling accounts alerted", True, one.distill_alerted, other.distill_alerted),
        ("benign accounts alerted", False, one.benign_alerted, other.benign_alerted),
    ):
        yield paired(name, mine_share, their_share, _alerted(a, labels, distill), _alerted(b, labels, distill))


def caught_at(recall: RecallAt, story: Story) -> frozenset[str]:
    """The distilling accounts above the threshold of a false-positive rate."""
    results = {one.account_id: one for one in story.accounts}
    threshold = float("-inf") if recall.threshold is None else recall.threshold
    return accounts_above(threshold, results, [label for label in story.labels.values() if label.distill])


def paired(figure: str, a: Share, b: Share, ours: frozenset[str], theirs: frozenset[str]) -> Paired:
    """A share of both runs, and the accounts in which they differ."""
    gained, lost = len(theirs - ours), len(ours - theirs)
    return Paired(figure, a, b, gained, lost, sign_test(gained, lost))


def _alerted(story: Story, labels: Mapping[str, Label], distill: bool) -> frozenset[str]:
    named = (one.account_id for one in story.accounts if one.first_alert_ts is not None)
    return frozenset(name for name in named if name in labels and labels[name].distill == distill)


def _campaigns(one: Evaluation, other: Evaluation) -> Iterator[CampaignPair]:
    for mine, theirs in zip(one.campaigns, other.campaigns, strict=True):
        name = mine.campaign_id
        yield CampaignPair(
            campaign_id=name,
            family=mine.family,
            accounts=mine.accounts,
            recall_a={f"{at.false_positive_rate:g}": at.by_campaign[name] for at in one.recall},
            recall_b={f"{at.false_positive_rate:g}": at.by_campaign[name] for at in other.recall},
            a=mine,
            b=theirs,
        )
