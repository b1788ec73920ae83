"""What `ablation.json` holds."""

from __future__ import annotations

import msgspec

from stillwatch_streams.replay.comparison.figures import Paired, compare_evaluations
from stillwatch_streams.replay.report.story import Story
from stillwatch_streams.replay.statistics import Mean, Share


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One run: with every signal, or without one."""

    signal: str
    """What was removed; empty for the run with every signal."""
    folder: str
    config_hash: str
    incidents: int
    recall: dict[str, Share]
    """Pooled, by false-positive rate."""
    macro: dict[str, Mean]
    """Averaged over campaigns, by false-positive rate."""
    recall_by_campaign: dict[str, Share]
    """At the lowest false-positive rate."""
    campaigns_found: Share
    benign_alerted: Share
    benign_alerted_by_archetype: dict[str, Share]
    distill_alerted: Share
    day_one_group_alerts: int
    leaked_share_median: float | None
    leaked_share_worst: float | None
    leaked_by_campaign: dict[str, int]
    """Attack exchanges before the campaign's first alert."""
    changes: tuple[Paired, ...]
    """Against the run with every signal (A): accounts gained and lost without the signal (B)."""


class Ablation(msgspec.Struct, frozen=True, kw_only=True):
    """`ablation.json`."""

    config_hash: str
    events: int
    accounts: int
    first_ts: int | None
    last_ts: int | None
    sources: list[str]
    interrupted: bool
    error: str | None
    whole: Variant
    without: tuple[Variant, ...]
    """In the order of the signals."""


def variant_of(signal: str, folder: str, base: Story, story: Story) -> Variant:
    """The figures of one labelled run."""
    found, differences = story.summary.evaluation, compare_evaluations(base, story)
    if found is None or differences is None:
        raise AssertionError("an ablation has labels: the command asks for them")
    lowest = found.recall[-1]
    return Variant(
        signal=signal,
        folder=folder,
        config_hash=story.summary.config_hash,
        incidents=story.summary.incidents,
        recall={f"{one.false_positive_rate:g}": one.pooled for one in found.recall},
        macro={f"{one.false_positive_rate:g}": one.macro_interval for one in found.recall},
        recall_by_campaign=lowest.by_campaign,
        campaigns_found=found.campaigns_found,
        benign_alerted=found.benign_alerted,
        benign_alerted_by_archetype=found.benign_alerted_by_archetype,
        distill_alerted=found.distill_alerted,
        day_one_group_alerts=found.day_one_group_alerts,
        leaked_share_median=found.leaked_share_median,
        leaked_share_worst=found.leaked_share_worst,
        leaked_by_campaign={one.campaign_id: one.leaked for one in found.campaigns},
        changes=differences.shares,
    )
