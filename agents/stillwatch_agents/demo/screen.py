"""The demo's screen for terminals: rich tables over the state. Draws, decides nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from stillwatch_schemas.findings import Finding

from stillwatch_agents.demo.state import STOPPED, DemoState, Traffic

TIER_STYLE = {"low": "dim", "medium": "yellow", "high": "dark_orange", "critical": "bold red"}
ACTION_STYLE = {"observe": "dim", "canary": "cyan", "watermark": "cyan", "throttle": "dark_orange", "suspend": "red"}
REASONS = 2
WIDE = 120
"""Columns from which everything fits."""
FIXED_LINES = 26
"""Lines that everything but the suspects takes."""


def draw(state: DemoState, at: float, *, width: int, height: int, hint: str) -> RenderableType:
    """The whole screen at `at` seconds."""
    layout = Layout()
    layout.split_column(
        Layout(_header(state, at), size=5),
        Layout(_traffic(state, at, wide=width >= WIDE), size=6),
        Layout(_suspects(state, max(1, (height - FIXED_LINES) // REASONS)), name="suspects"),
        Layout(name="streams", size=11),
        Layout(Text(hint, style="dim"), size=2),
    )
    layout["streams"].split_row(Layout(_alerts(state)), Layout(_directives(state)))
    return layout


def _header(state: DemoState, at: float) -> Panel:
    first = Text.assemble(
        (f" {state.phase} ", "bold black on green" if state.live_at is not None else "bold black on yellow"),
        f"  {at:,.0f} s   broker: ",
        (state.broker, "yellow" if "memory" in state.broker else ""),
    )
    second = Text.assemble(
        (f"{state.events_per_second():,.0f}", "bold"),
        " events/s   ",
        f"{state.processed:,} processed (history {state.history_events:,})   panes {state.panes:,}   lag {state.lag:,}"
        f"   alerts {len(state.alert_ids):,}   directives {sum(state.directives_seen.values()):,}   ",
        _first_alert(state),
    )
    return Panel(Group(first, second), title="[bold]Stillwatch demo[/]", border_style="green")


def _first_alert(state: DemoState) -> Text:
    if state.first_campaign_alert_at is None:
        return Text("no campaign alert yet", style="dim")
    return Text(f"first campaign alert after {state.first_campaign_alert_at:.0f} s", style="bold")


def _traffic(state: DemoState, at: float, *, wide: bool) -> Panel:
    table = Table(expand=True, box=None, header_style="bold")
    table.add_column("who (truth)", no_wrap=True)
    for name in ("accounts", "alerted", "directed", "answered", "leaked"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("all answers", "last 15 s") if wide else ("last 15 s",):
        table.add_column(name, ratio=1, justify="right", no_wrap=True)
    table.add_column("refused", justify="right", no_wrap=True)
    for traffic in state.traffic.values():
        table.add_row(*_traffic_row(traffic, state, at, wide=wide))
    return Panel(table, title="Traffic through the gateway, and what it now meets", border_style="blue")


def _traffic_row(traffic: Traffic, state: DemoState, at: float, *, wide: bool) -> list[RenderableType]:
    benign = traffic.name == "benign"
    share = traffic.refused_share(at)
    answers = [_answers(traffic.statuses), _answers(traffic.lately(at))]
    return [
        Text("ordinary accounts" if benign else f"campaign '{traffic.name}'", style="" if benign else "bold"),
        f"{traffic.accounts}",
        f"{len(state.benign_alerted if benign else traffic.alerted)}",
        f"{len(traffic.directed)}",
        f"{traffic.answered:,}",
        "" if benign or traffic.leaked is None else f"{traffic.leaked:,}",
        *(answers if wide else answers[1:]),
        "" if share is None else Text(f"{share:.0%}", style="bold red" if share else "green"),
    ]


def _answers(statuses: Mapping[int, int]) -> Text:
    return Text("  ").join(
        Text(f"{status}: {count:,}", style="red" if status in STOPPED else "green")
        for status, count in sorted(statuses.items())
    )


def _suspects(state: DemoState, count: int) -> Panel:
    table = Table(expand=True, box=None, header_style="bold")
    for name in ("subject", "truth", "risk", "tier", "exchanges"):
        table.add_column(name, no_wrap=True)
    table.add_column("why", ratio=1, no_wrap=True, overflow="ellipsis")
    for suspect in state.top_suspects(count):
        found = suspect.finding
        table.add_row(
            found.subject,
            Text(suspect.truth, style="dim italic"),
            f"{found.risk_score}",
            Text(found.tier, style=TIER_STYLE[found.tier]),
            f"{found.exchanges:,}",
            "\n".join(reasons(found)),
        )
    return Panel(table, title="Top suspects and why (truth is the simulator's)", border_style="red")


def reasons(found: Finding) -> list[str]:
    """The finding's weightiest statements."""
    weighty = sorted(found.evidence, key=lambda evidence: -evidence.weight)[:REASONS]
    return [f"{evidence.signal}: {evidence.statement}" for evidence in weighty]


def _alerts(state: DemoState) -> Panel:
    table = Table.grid(padding=(0, 1))
    for suspect in list(state.alerts)[-8:][::-1]:
        found = suspect.finding
        table.add_row(
            _clock(found.time_ms),
            found.activity,
            Text(found.tier, style=TIER_STYLE[found.tier]),
            found.subject,
            Text(found.kind, style="dim"),
            Text(suspect.truth, style="dim italic"),
        )
    return Panel(table, title="Alerts (llm.alerts.v1)", border_style="dark_orange")


def _directives(state: DemoState) -> Panel:
    table = Table.grid(padding=(0, 1))
    latest = sorted(state.directives.values(), key=lambda pair: -pair[1].issued_at)[:8]
    for _, directive in latest:
        table.add_row(
            _clock(directive.issued_at),
            Text(directive.action, style=ACTION_STYLE.get(directive.action, "")),
            directive.key,
            Text(directive.reason, style="dim", no_wrap=True, overflow="ellipsis"),
        )
    return Panel(table, title="Directives in force (llm.enforcement.v1)", border_style="cyan")


def _clock(ms: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(ms / 1_000))
