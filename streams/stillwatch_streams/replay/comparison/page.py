"""`comparison.html`: both runs on one self-contained page. Everything that came from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from stillwatch_streams.replay.comparison import charts
from stillwatch_streams.replay.comparison.figures import LabelledDifferences
from stillwatch_streams.replay.comparison.incidents import IncidentPair
from stillwatch_streams.replay.comparison.result import Comparison
from stillwatch_streams.replay.report.html import cards, cell, chart, cut_short, page, section, style, table
from stillwatch_streams.replay.report.story import Story
from stillwatch_streams.replay.report.words import mean, per_cent, share, short_time, span, time_of

LISTED = 50
"""Incidents of one side that the page lists; the JSON has all."""
SURE = 0.05


def comparison_html(found: Comparison, a: Story, b: Story) -> bytes:
    """The whole page in UTF-8."""
    body = [
        f"<h1>Stillwatch compare</h1><p class='muted'>{cell(span(a.summary))} · {cell(', '.join(found.sources))}</p>",
        _sides(found),
        *cut_short(interrupted=found.interrupted, error=found.error),
        cards(_figures(found), changes=True),
        chart("Incidents so far", charts.incidents_so_far(a, b), "Neither opened an incident.", wide=True),
        *(_labelled(found.labelled, a, b) if found.labelled else ()),
        section("Settings that differ", _settings(found)),
        *_incidents(found),
    ]
    return page("Stillwatch compare", style(), "\n".join(body)).encode("utf-8", "replace")


def _sides(found: Comparison) -> str:
    names = (
        f"<b style='color:{colour}'>{side}</b> {cell(one.name)} <span class='muted'>({one.config_hash},"
        f" <code>{cell(one.folder)}/</code>)</span>"
        for (side, colour), one in zip(charts.COLOURS.items(), (found.a, found.b), strict=True)
    )
    return f"<p>{' &nbsp; '.join(names)}</p>"


def _figures(found: Comparison) -> Iterator[tuple[str, str, str]]:
    """Headline, A → B, remark."""
    a, b, incidents = found.a, found.b, found.incidents
    if found.labelled is not None:
        for pair in found.labelled.shares:
            yield pair.figure, _change(per_cent(pair.a.rate), per_cent(pair.b.rate)), _gains(pair.gained, pair.lost)
        one, other = found.labelled.campaigns_found_a, found.labelled.campaigns_found_b
        yield "campaigns found", _change(str(one.hits), str(other.hits)), f"of {one.total}"
    yield (
        "incidents",
        _change(f"{a.incidents:,}", f"{b.incidents:,}"),
        f"{len(incidents.both):,} in both, {len(incidents.only_a):,} only in A, {len(incidents.only_b):,} only in B",
    )
    yield "accounts alerted", _change(f"{a.accounts_alerted:,}", f"{b.accounts_alerted:,}"), f"of {found.accounts:,}"
    yield "events a second", _change(f"{a.events_per_s:,.0f}", f"{b.events_per_s:,.0f}"), f"{found.events:,} events"


def _change(one: str, other: str) -> str:
    return f"{one} → {other}"


def _gains(gained: int, lost: int) -> str:
    return f"{gained:,} accounts gained, {lost:,} lost"


def _labelled(found: LabelledDifferences, a: Story, b: Story) -> Iterator[str]:
    drawn = []
    if any(label.distill for label in a.labels.values()) and found.archetypes:
        drawn.append(chart("Recall against false positives", charts.recall_curves(a, b)))
    if found.campaigns:
        drawn.append(chart("Leak by campaign", charts.leaks(found.campaigns)))
    if found.archetypes:
        drawn.append(
            chart("False positives by archetype, with 95 % intervals", charts.false_positives(found.archetypes))
        )
    yield f"<div class='grid'>{''.join(drawn)}</div>"
    yield section("Figures", _shares(found))
    if found.campaigns:
        yield section("Campaigns", _campaigns(found))


def _shares(found: LabelledDifferences) -> str:
    rows = [
        (
            cell(pair.figure),
            share(pair.a),
            share(pair.b),
            f"{pair.gained:,}",
            f"{pair.lost:,}",
            f"<b>{pair.p_value:.2g}</b>" if pair.p_value < SURE else f"{pair.p_value:.2g}",
        )
        for pair in found.shares
    ]
    rows += [
        (f"recall at {pair.false_positive_rate:.1%}, campaigns' average", mean(pair.a), mean(pair.b), "", "", "")
        for pair in found.macro
    ]
    rows.append(("campaigns found", share(found.campaigns_found_a), share(found.campaigns_found_b), "", "", ""))
    note = (
        "<p class='muted'>Gained: accounts that only B has; lost: that only A has; p: McNemar's exact test of gains"
        " against losses. Means of campaigns have wide intervals that hold for sure.</p>"
    )
    return note + table(("", "#A", "#B", "#gained", "#lost", "#p"), rows)


def _campaigns(found: LabelledDifferences) -> str:
    rates = list(found.campaigns[0].recall_a)
    header = ("campaign", "family", "#accounts", "#first alert A → B", "#leaked A → B", "#not contained A → B")
    rows = (
        (
            cell(pair.campaign_id),
            cell(pair.family),
            f"{pair.accounts:,}",
            cell(f"{short_time(pair.a.first_alert_ts) or 'never'} → {short_time(pair.b.first_alert_ts) or 'never'}"),
            f"{pair.a.leaked:,} → {pair.b.leaked:,} of {pair.a.exchanges:,}",
            f"{per_cent(pair.a.uncontained_share)} → {per_cent(pair.b.uncontained_share)}",
            *(f"{per_cent(pair.recall_a[rate].rate)} → {per_cent(pair.recall_b[rate].rate)}" for rate in rates),
        )
        for pair in found.campaigns
    )
    return table((*header, *(f"#recall at {float(rate):.1%}" for rate in rates)), rows)


def _settings(found: Comparison) -> str:
    rows = ((f"<code>{cell(one.setting)}</code>", _value(one.a), _value(one.b)) for one in found.settings)
    return table(("setting", "A", "B"), rows)


def _value(value: object) -> str:
    return f"<code>{cell(msgspec.json.encode(value).decode())}</code>"


def _incidents(found: Comparison) -> Iterator[str]:
    for title, pairs in (
        ("Only in A", found.incidents.only_a),
        ("Only in B", found.incidents.only_b),
        ("In both, most apart in time first", sorted(found.incidents.both, key=_apart, reverse=True)),
    ):
        yield section(f"{title}: {len(pairs):,} incidents", _listed(pairs))


def _apart(pair: IncidentPair) -> int:
    return abs((pair.first_a or 0) - (pair.first_b or 0))


def _listed(pairs: Sequence[IncidentPair]) -> str:
    rows: Iterable[tuple[str, ...]] = (
        (
            cell(pair.subject_kind),
            f"<code>{cell(pair.subject)}</code>",
            cell(pair.kind),
            cell(time_of(pair.first_a)),
            cell(time_of(pair.first_b)),
            cell(pair.truth),
        )
        for pair in pairs[:LISTED]
    )
    more = f"<p class='muted'>The first {LISTED}; comparison.json has all.</p>" if len(pairs) > LISTED else ""
    if not pairs:
        return "<p class='muted'>None.</p>"
    return table(("about", "subject", "kind", "first alert in A", "first alert in B", "truth"), rows) + more
