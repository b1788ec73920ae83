"""The summary as a person reads it at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stillwatch_streams.replay.evaluation import BudgetUse, Evaluation
from stillwatch_streams.replay.statistics import Mean, Share
from stillwatch_streams.replay.summary import Summary


def summary_lines(summary: Summary, out: Path) -> Iterator[str]:
    """A few lines: what was read, what was raised, how good it was, where it lies."""
    state = " (interrupted: the files hold what was read)" if summary.interrupted else ""
    yield (
        f"{summary.events:,} events of {summary.accounts:,} accounts in {summary.seconds:.1f} s"
        f" ({summary.events_per_s:,.0f} events/s){state}"
    )
    if summary.dead_letters:
        codes = ", ".join(f"{count:,} {code}" for code, count in summary.dead_letters.items())
        yield f"Not understood: {codes}; see {out / 'dlq.jsonl'}"
    if not summary.events:
        yield "No event was read: check the SOURCE, --from and --to, and --format (native or litellm)"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in summary.alerts_by_kind.items()) or "none"
    yield f"Alerts: {summary.incidents:,} incidents in {summary.alerts:,} messages ({kinds})"
    yield f"Accounts alerted: {summary.accounts_alerted:,}"
    if summary.evaluation is not None:
        yield from _evaluation_lines(summary.evaluation)
    yield f"Report: {out / 'report.html'}"


def _evaluation_lines(found: Evaluation) -> Iterator[str]:
    for recall in found.recall:
        yield (
            f"Recall at {recall.false_positive_rate:.1%} false positives: {_share(recall.pooled)},"
            f" {recall.macro:.1%} averaged over campaigns ({_interval(recall.macro_interval)})"
        )
    yield f"Campaigns found: {_share(found.campaigns_found)}"
    middle, worst = found.leaked_share_median, found.leaked_share_worst
    if middle is not None and worst is not None:
        yield f"Leaked before the first alert: median {middle:.1%}, worst {worst:.1%}, at most {found.leaked_worst:,}"
    if found.uncontained_share is not None:
        yield f"Exchanges before their own account was named: {found.uncontained_share:.1%}"
    yield f"Benign accounts alerted: {_share(found.benign_alerted)}; {_budget(found.budget_use)}"
    if found.purity.total:
        yield f"Members of reported campaigns that belong: {_share(found.purity)}"
    opened = ", ".join(f"{count} {kind}" for kind, count in found.day_one_alerts.items()) or "none"
    yield f"Incidents opened on day 1: {opened}"
    if found.dormant_accounts:
        yield f"Distilling accounts without an attack exchange here, counted nowhere: {found.dormant_accounts}"


def _share(one: Share) -> str:
    return f"{one.hits} of {one.total} ({one.rate:.1%}, {_interval(one)})"


def _interval(one: Share | Mean) -> str:
    return f"95 % interval {one.low:.1%} to {one.high:.1%}"


def _budget(use: BudgetUse) -> str:
    return f"{use.per_10k:.2f} per 10,000 account-days, 95 % interval {use.low:.2f} to {use.high:.2f}"
