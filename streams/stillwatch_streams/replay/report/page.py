"""The page: key figures, charts, tables. Everything that came from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stillwatch_streams.replay.evaluation import Evaluation
from stillwatch_streams.replay.report import charts
from stillwatch_streams.replay.report.glossary import glossary
from stillwatch_streams.replay.report.html import cards, cell, chart, cut_short, page, section, style, table, warning
from stillwatch_streams.replay.report.incidents import joint_incidents, reasons
from stillwatch_streams.replay.report.story import Story
from stillwatch_streams.replay.report.words import (
    below,
    interval,
    mean,
    per_cent,
    share,
    short_time,
    span,
    stacked,
    time_of,
)

TOP_ACCOUNTS = 25
NO_LABELS = (
    "<p class='muted'>Without --labels nothing here says how good the detector was: recall, leaks and false alarms are"
    " measured against what is known of the accounts.</p>"
)


def report_html(story: Story) -> bytes:
    """The whole page in UTF-8."""
    summary = story.summary
    body = [
        f"<h1>Stillwatch replay</h1><p class='muted'>{cell(span(summary))} · {cell(', '.join(summary.sources))}</p>",
        *_warnings(story),
        cards(_figures(story)),
        *_charts(story),
        *(_evaluation_tables(summary.evaluation) if summary.evaluation else (NO_LABELS,)),
        joint_incidents(story),
        _top_accounts(story),
        glossary(),
        _settings(story),
    ]
    return page("Stillwatch replay", style(), "\n".join(body)).encode("utf-8", "replace")


def _warnings(story: Story) -> Iterator[str]:
    summary = story.summary
    yield from cut_short(interrupted=summary.interrupted, error=summary.error)
    if summary.dead_letters:
        codes = ", ".join(f"{count:,} {code}" for code, count in summary.dead_letters.items())
        yield warning(f"Records that could not be used: {codes}. They are listed in dlq.jsonl.")


def _figures(story: Story) -> Iterator[tuple[str, str, str]]:
    """Headline, figure, and what stands under it."""
    summary, found = story.summary, story.summary.evaluation
    if found is not None:
        for recall in found.recall:
            yield (
                f"recall at {recall.false_positive_rate:.1%} false positives",
                per_cent(recall.pooled.rate),
                f"{share(recall.pooled)}; averaged over campaigns {mean(recall.macro_interval)}",
            )
        yield (
            "campaigns found",
            f"{found.campaigns_found.hits} of {found.campaigns_found.total}",
            f"at least 30 % of accounts caught; {interval(found.campaigns_found)}",
        )
        median, worst = found.leaked_share_median, found.leaked_share_worst
        if median is not None and worst is not None:
            yield "leaked before the first alert", per_cent(median), f"median; worst {per_cent(worst)}"
        if found.uncontained_share is not None:
            yield "not contained", per_cent(found.uncontained_share), "exchanges before their own account was named"
        yield "benign accounts alerted", per_cent(found.benign_alerted.rate), share(found.benign_alerted)
        use = found.budget_use
        budget = f"per 10,000 account-days (95 %: {use.low:.2f} to {use.high:.2f})"
        yield "false-positive budget used", f"{use.per_10k:.2f}", budget
        if found.purity.total:
            yield "purity of reported campaigns", per_cent(found.purity.rate), share(found.purity)
        opened = ", ".join(f"{count} {kind}" for kind, count in found.day_one_alerts.items()) or "none"
        yield "incidents opened on day 1", str(sum(found.day_one_alerts.values())), opened
    yield "events", f"{summary.events:,}", f"{summary.events_per_s:,.0f} a second, {summary.seconds:.0f} s"
    yield "accounts", f"{summary.accounts:,}", f"{summary.accounts_alerted:,} alerted"
    yield "incidents", f"{summary.incidents:,}", f"{summary.alerts:,} alert messages"
    directives = ", ".join(f"{count:,} {action}" for action, count in summary.directives.items()) or "none"
    yield "directives", f"{sum(summary.directives.values()):,}", directives


def _charts(story: Story) -> Iterator[str]:
    found = story.summary.evaluation
    yield chart("Incidents over time", charts.incidents_over_time(story), "No incident was opened.", wide=True)
    drawn = [chart("Scores", charts.score_distribution(story))]
    if found is not None and found.benign_accounts and found.distill_accounts:
        drawn.append(chart("Recall against false positives", charts.recall_curve(story, found.recall)))
    if found is not None and found.campaigns:
        drawn.append(chart("Leak by campaign", charts.leak_by_campaign(found.campaigns)))
    if found is not None and found.benign_alerted_by_archetype:
        shares = found.benign_alerted_by_archetype
        drawn.append(chart("False positives by archetype, with 95 % intervals", charts.benign_by_archetype(shares)))
    yield f"<div class='grid'>{''.join(drawn)}</div>"


def _evaluation_tables(found: Evaluation) -> Iterator[str]:
    if found.campaigns:
        yield section("Campaigns", _campaigns(found))
        yield section("Families", _families(found))
    if found.benign_alerted_by_archetype:
        yield section("Benign accounts by archetype", _archetypes(found))


def _campaigns(found: Evaluation) -> str:
    recalls = {one.false_positive_rate: one.by_campaign for one in found.recall}
    header = (
        "campaign",
        "family",
        "",
        "#accounts",
        "#alerted",
        "#reported",
        "#first alert",
        "#leaked",
        "#not contained",
    )
    rows = (
        (
            cell(one.campaign_id),
            cell(one.family),
            "<span class='tag good'>found</span>" if one.found else "<span class='tag bad'>missed</span>",
            f"{one.accounts:,}",
            f"{one.alerted:,}",
            f"{one.reported:,}",
            cell(short_time(one.first_alert_ts)),
            below(f"{one.leaked:,} of {one.exchanges:,}", per_cent(one.leaked_share)),
            below(f"{one.uncontained:,}", per_cent(one.uncontained_share)),
            *(stacked(by_campaign[one.campaign_id]) for by_campaign in recalls.values()),
        )
        for one in found.campaigns
    )
    return table((*header, *(f"#recall at {rate:.1%}" for rate in recalls)), rows)


def _families(found: Evaluation) -> str:
    rows = (
        (cell(family), *(share(one.by_family[family]) for one in found.recall)) for family in found.recall[0].by_family
    )
    return table(("family", *(f"#recall at {one.false_positive_rate:.1%}" for one in found.recall)), rows)


def _archetypes(found: Evaluation) -> str:
    reported = found.benign_reported_by_archetype
    rows = (
        (cell(name), share(one), share(reported[name]), *(f"{at.by_archetype[name].hits:,}" for at in found.recall))
        for name, one in found.benign_alerted_by_archetype.items()
    )
    above = (f"#above the threshold at {one.false_positive_rate:.1%}" for one in found.recall)
    return table(("archetype", "#alerted", "#member of a reported campaign", *above), rows)


def _top_accounts(story: Story) -> str:
    """The highest scores, each with what its latest alert said."""
    notes = {note.subject: note for note in story.notes if note.subject_kind == "account"}
    labelled = bool(story.labels)
    rows = []
    for one in story.accounts[:TOP_ACCOUNTS]:
        row = [f"<code class='id'>{cell(one.account_id)}</code>", f"{one.score:,.1f}", f"{one.events:,}"]
        row.append(cell(time_of(one.first_alert_ts)))
        if labelled:
            row.append(_truth_of(story, one.account_id))
        row.append(reasons(notes.get(one.account_id)))
        rows.append(tuple(row))
    header = ("account", "#score", "#events", "first alert", *(("truth",) if labelled else ()), "reasons")
    return section("Highest scores", table(header, rows))


def _truth_of(story: Story, account: str) -> str:
    label = story.labels.get(account)
    if label is None:
        return ""
    kind, text = ("bad", f"distilling, {label.campaign_id}") if label.distill else ("good", label.archetype)
    return f"<span class='tag {kind}'>{cell(text)}</span>"


def _settings(story: Story) -> str:
    config = story.summary.config
    rows: Iterable[tuple[str, str]] = (
        (f"<code>{cell(name)}</code>", f"<code>{cell(str(getattr(config, name)))}</code>")
        for name in config.__struct_fields__
    )
    return section(f"Engine settings ({story.summary.config_hash})", table(("setting", "value"), rows))
