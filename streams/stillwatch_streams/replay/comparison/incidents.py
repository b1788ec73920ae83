"""Which incidents only one of two runs opened, and when each opened those that both did.

Incidents are the same when subject and kind are. A campaign has no name outside its run: it is matched with the
campaign of the other run that shares the largest part of its members, at least half of all members of both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.report.story import Story
from stillwatch_streams.replay.results import Member, Note

LEAST_OVERLAP = 0.5
"""Shared members among all members of two campaigns that are taken for one."""

Key = tuple[str, str, str]
"""Kind of subject, subject, kind of attack."""


class IncidentPair(msgspec.Struct, frozen=True):
    """One incident in either run, or in both."""

    subject_kind: str
    subject: str
    """As A names it, or B where A has it not."""
    kind: str
    first_a: int | None
    """Event time of the first alert, ms; None where A did not open it."""
    first_b: int | None
    truth: str
    """What the labels say of an account: its campaign, or `benign` and the archetype; empty where they say nothing."""


class IncidentDifferences(msgspec.Struct, frozen=True):
    """All incidents of two runs, the earliest first."""

    only_a: tuple[IncidentPair, ...]
    only_b: tuple[IncidentPair, ...]
    both: tuple[IncidentPair, ...]


def compare_incidents(a: Story, b: Story) -> IncidentDifferences:
    """Tell the incidents of two runs apart."""
    firsts_a, firsts_b = first_times(a.notes), first_times(b.notes)
    same = same_campaigns(a.members, b.members)
    firsts_b = {_renamed(key, same): when for key, when in firsts_b.items()}
    pairs = sorted(
        (_pair(key, firsts_a.get(key), firsts_b.get(key), a.labels) for key in {*firsts_a, *firsts_b}), key=_by_time
    )
    return IncidentDifferences(
        only_a=tuple(pair for pair in pairs if pair.first_b is None),
        only_b=tuple(pair for pair in pairs if pair.first_a is None),
        both=tuple(pair for pair in pairs if pair.first_a is not None and pair.first_b is not None),
    )


def first_times(notes: Iterable[Note]) -> dict[Key, int]:
    """Event time of the first alert of each subject and kind."""
    first: dict[Key, int] = {}
    for note in notes:
        if note.activity == "create":
            key = (note.subject_kind, note.campaign_id or note.subject, note.kind)
            first[key] = min(first.get(key, note.time_ms), note.time_ms)
    return first


def same_campaigns(a: Iterable[Member], b: Iterable[Member]) -> dict[str, str]:
    """B's campaigns by the name of the campaign in A that they are; each of A's is taken once, the best fit first."""
    ours, theirs = _accounts(a), _accounts(b)
    fits = sorted(
        (-len(mine & other) / len(mine | other), name, campaign)
        for campaign, other in theirs.items()
        for name, mine in ours.items()
        if mine & other
    )
    same: dict[str, str] = {}
    for fit, name, campaign in fits:
        if -fit >= LEAST_OVERLAP and campaign not in same and name not in same.values():
            same[campaign] = name
    return same


def _accounts(members: Iterable[Member]) -> dict[str, set[str]]:
    accounts: dict[str, set[str]] = defaultdict(set)
    for member in members:
        accounts[member.campaign_id].add(member.account_id)
    return accounts


def _renamed(key: Key, same: Mapping[str, str]) -> Key:
    subject_kind, subject, kind = key
    return (subject_kind, same.get(subject, subject), kind) if subject_kind == "campaign" else key


def _pair(key: Key, first_a: int | None, first_b: int | None, labels: Mapping[str, Label]) -> IncidentPair:
    subject_kind, subject, kind = key
    label = labels.get(subject) if subject_kind == "account" else None
    return IncidentPair(subject_kind, subject, kind, first_a, first_b, truth_of(label))


def truth_of(label: Label | None) -> str:
    """A label in a few words."""
    if label is None:
        return ""
    return f"distilling, {label.campaign_id}" if label.distill else f"benign, {label.archetype}"


def _by_time(pair: IncidentPair) -> tuple[int, str, str, str]:
    times = [when for when in (pair.first_a, pair.first_b) if when is not None]
    return min(times), pair.subject_kind, pair.subject, pair.kind
