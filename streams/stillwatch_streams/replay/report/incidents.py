"""Incidents about more than one account: what was reported, who is in it, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from stillwatch_streams.replay.campaign_results import ReportedCampaign
from stillwatch_streams.replay.report.html import cell, section, table
from stillwatch_streams.replay.report.story import Story
from stillwatch_streams.replay.report.words import below, share, short_time
from stillwatch_streams.replay.results import Note

MOST = 50
"""Incidents that are listed."""


def joint_incidents(story: Story) -> str:
    """Campaigns and groups, those with most members first; nothing where there are none."""
    incidents = defaultdict[tuple[str, str], list[Note]](list)
    for note in story.notes:
        if note.subject_kind != "account":
            incidents[note.subject, note.kind].append(note)
    if not incidents:
        return ""
    members = Counter(member.campaign_id for member in story.members)
    found = story.summary.evaluation
    truth = {one.campaign_id: one for one in found.reported_campaigns} if found else None
    order = sorted(incidents.values(), key=lambda notes: (-members[notes[-1].campaign_id], notes[0].time_ms))
    header = ("subject", "kind", "tier", "first alert", "#members", *(("mostly",) if found else ()), "why")
    beyond = f"<p class='muted'>{MOST} of {len(order):,}; all are in alerts.jsonl.</p>" if len(order) > MOST else ""
    rows = (_row(notes, members, truth) for notes in order[:MOST])
    return section("Campaigns and groups that were reported", beyond + table(header, rows))


def _row(notes: Sequence[Note], members: Counter[str], truth: dict[str, ReportedCampaign] | None) -> tuple[str, ...]:
    latest, campaign = notes[-1], notes[-1].campaign_id
    telling = max(notes, key=lambda note: (len(note.reasons), note.time_ms))
    subject = f"<code class='id'>{cell(latest.subject)}</code>"
    return (
        below(subject, f"in campaigns.csv {cell(campaign)}") if campaign else subject,
        cell(latest.kind) + (" <small class='muted'>closed</small>" if latest.activity == "close" else ""),
        cell(latest.tier),
        cell(short_time(notes[0].time_ms)),
        f"{members[campaign]:,}" if campaign else "",
        *(() if truth is None else (_truth(truth.get(campaign)),)),
        reasons(telling),
    )


def _truth(one: ReportedCampaign | None) -> str:
    return "" if one is None else below(cell(one.mostly or "benign accounts"), share(one.belonging))


def reasons(note: Note | None) -> str:
    """What an alert said, as a list."""
    lines = note.reasons if note else ()
    return f"<ul>{''.join(f'<li>{cell(line)}</li>' for line in lines)}</ul>" if lines else ""
