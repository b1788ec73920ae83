"""The demo's closing account, for people and for machines."""

from __future__ import annotations

import msgspec

from stillwatch_agents.demo.state import STOPPED, DemoState, Traffic


class CampaignSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One campaign, as far as it went."""

    campaign: str
    accounts: int
    accounts_alerted: int
    accounts_under_directive: int
    answered: int
    refused: int
    leaked_before_first_alert: int | None
    first_refused_seconds: float | None
    """After the command began."""
    refused_share_lately: float | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What `stillwatch demo --json` prints. Seconds count from the start of the command."""

    broker: str
    seconds: float
    live_seconds: float
    history_events: int
    live_events: int
    processed_events: int
    events_per_second: float
    """Processed by the worker lately."""
    alerts: int
    first_alert_seconds: float | None
    first_campaign_alert_seconds: float | None
    directives: dict[str, int]
    """By action."""
    benign_accounts: int
    benign_accounts_alerted: int
    campaigns: list[CampaignSummary]


def summarise(state: DemoState, at: float) -> Summary:
    """The state at `at` seconds, as figures."""
    return Summary(
        broker=state.broker,
        seconds=round(at, 1),
        live_seconds=0.0 if state.live_at is None else round(at - state.live_at, 1),
        history_events=state.history_events,
        live_events=state.sent,
        processed_events=state.processed,
        events_per_second=round(state.events_per_second(), 1),
        alerts=len(state.alert_ids),
        first_alert_seconds=_rounded(state.first_alert_at),
        first_campaign_alert_seconds=_rounded(state.first_campaign_alert_at),
        directives=dict(state.directives_seen),
        benign_accounts=state.traffic["benign"].accounts,
        benign_accounts_alerted=len(state.benign_alerted),
        campaigns=[_campaign(traffic, at) for name, traffic in state.traffic.items() if name != "benign"],
    )


def as_text(summary: Summary) -> str:
    """The summary in a few lines."""
    head = (
        f"{summary.seconds:.0f} s on {summary.broker}: {summary.processed_events:,} events processed "
        f"({summary.history_events:,} of history, {summary.live_events:,} live), {summary.alerts} alerts, "
        f"{sum(summary.directives.values())} directives\n"
        f"first alert after {_or_none(summary.first_alert_seconds)}, "
        f"first on a campaign after {_or_none(summary.first_campaign_alert_seconds)}"
    )
    lines = [head]
    for found in summary.campaigns:
        share = found.refused_share_lately
        lines.append(
            f"campaign '{found.campaign}': {found.accounts_alerted} of {found.accounts} accounts alerted, "
            f"{found.answered:,} exchanges answered, {found.refused:,} refused"
            + ("" if share is None else f" ({share:.0%} of the last ones)")
        )
    lines.append(f"ordinary accounts alerted: {summary.benign_accounts_alerted} of {summary.benign_accounts}")
    return "\n".join(lines)


def _campaign(traffic: Traffic, at: float) -> CampaignSummary:
    share = traffic.refused_share(at)
    return CampaignSummary(
        campaign=traffic.name,
        accounts=traffic.accounts,
        accounts_alerted=len(traffic.alerted),
        accounts_under_directive=len(traffic.directed),
        answered=traffic.answered,
        refused=sum(count for status, count in traffic.statuses.items() if status in STOPPED),
        leaked_before_first_alert=traffic.leaked,
        first_refused_seconds=_rounded(traffic.first_refused_at),
        refused_share_lately=None if share is None else round(share, 3),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _or_none(seconds: float | None) -> str:
    return "(none)" if seconds is None else f"{seconds:.0f} s"
