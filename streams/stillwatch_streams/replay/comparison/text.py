"""The comparison as a person reads it at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stillwatch_streams.replay.comparison.ablation_result import Ablation, Variant
from stillwatch_streams.replay.comparison.figures import LabelledDifferences
from stillwatch_streams.replay.comparison.result import Comparison
from stillwatch_streams.replay.comparison.settings import SettingDifference

NAMED = 5
"""Differing settings that are named."""


def comparison_lines(found: Comparison, out: Path) -> Iterator[str]:
    """A few lines: what was compared, what only one of them raised, which is better, where it lies."""
    state = " (interrupted: the files hold what was read)" if found.interrupted else ""
    yield f"{found.events:,} events of {found.accounts:,} accounts, read once{state}"
    if not found.events:
        yield "No event was read: check the SOURCE, --from and --to, and --format (native or litellm)"
    yield f"A: {found.a.name} ({found.a.events_per_s:,.0f} events/s)"
    yield f"B: {found.b.name} ({found.b.events_per_s:,.0f} events/s)"
    yield f"Settings that differ: {_settings(found.settings)}"
    incidents = found.incidents
    yield (
        f"Incidents: {len(incidents.both):,} in both, {len(incidents.only_a):,} only in A,"
        f" {len(incidents.only_b):,} only in B"
    )
    yield f"Accounts alerted: {found.a.accounts_alerted:,} in A, {found.b.accounts_alerted:,} in B"
    if found.labelled is not None:
        yield from _labelled_lines(found.labelled)
    yield f"Report: {out / 'comparison.html'}"


def _settings(differences: tuple[SettingDifference, ...]) -> str:
    named = ", ".join(f"{one.setting} {one.a!r} -> {one.b!r}" for one in differences[:NAMED])
    rest = len(differences) - NAMED
    return f"{named}, and {rest} more" if rest > 0 else named


def _labelled_lines(found: LabelledDifferences) -> Iterator[str]:
    for pair in found.shares:
        head = f"{pair.figure[0].upper()}{pair.figure[1:]}"
        yield (
            f"{head}: {pair.a.rate:.2%} -> {pair.b.rate:.2%} (of {pair.a.total:,}; {pair.gained:,} gained,"
            f" {pair.lost:,} lost, p = {pair.p_value:.2g})"
        )
    for macro in found.macro:
        rates = f"{macro.a.rate:.1%} -> {macro.b.rate:.1%}"
        yield f"Recall at {macro.false_positive_rate:.1%} averaged over campaigns: {rates}"
    one, other = found.campaigns_found_a, found.campaigns_found_b
    yield f"Campaigns found: {one.hits} -> {other.hits} of {one.total}"
    for campaign in found.campaigns:
        yield (
            f"  {campaign.campaign_id}: leaked {campaign.a.leaked:,} -> {campaign.b.leaked:,}"
            f" of {campaign.a.exchanges:,} exchanges"
        )


def ablation_lines(found: Ablation, out: Path) -> Iterator[str]:
    """A line a variant."""
    state = " (interrupted: the files hold what was read)" if found.interrupted else ""
    yield f"{found.events:,} events of {found.accounts:,} accounts, read once for {len(found.without) + 1} runs{state}"
    rates = list(found.whole.recall)
    width = max(len(_name(one)) for one in (found.whole, *found.without))
    head = " ".join(f"{f'recall@{float(rate):.1%}':>12}" for rate in rates)
    yield f"{'':<{width}} {head} {'found':>6} {'benign alerted':>14} {'leaked, median':>14}"
    for one in (found.whole, *found.without):
        recalls = " ".join(f"{one.recall[rate].rate:>12.1%}" for rate in rates)
        leaked = "" if one.leaked_share_median is None else f"{one.leaked_share_median:.1%}"
        benign = f"{one.benign_alerted.hits:,} ({one.benign_alerted.rate:.2%})"
        yield f"{_name(one):<{width}} {recalls} {one.campaigns_found.hits:>6} {benign:>14} {leaked:>14}"
    yield f"Report: {out / 'ablation.html'}"


def _name(variant: Variant) -> str:
    return f"without {variant.signal}" if variant.signal else "every signal"
