"""Which incidents are the same in two runs."""

from __future__ import annotations

from stillwatch_streams.replay.comparison.incidents import compare_incidents, first_times, same_campaigns
from stillwatch_streams.replay.results import Member
from support.builders import T0
from support.stories import make_label, make_note, make_story


def members(campaign: str, accounts: str) -> list[Member]:
    return [Member(campaign, account, T0) for account in accounts]


def test_incidents_are_told_apart_by_subject_and_kind() -> None:
    a = make_story([], [make_note("x", T0 + 1), make_note("y", T0 + 2), make_note("y", T0 + 3, kind="hard_ceiling")])
    b = make_story([], [make_note("y", T0 + 9), make_note("z", T0 + 4)])
    found = compare_incidents(a, b)
    assert [(pair.subject, pair.kind) for pair in found.only_a] == [("x", "distillation"), ("y", "hard_ceiling")]
    assert [(pair.subject, pair.first_b) for pair in found.only_b] == [("z", T0 + 4)]
    assert [(pair.subject, pair.first_a, pair.first_b) for pair in found.both] == [("y", T0 + 2, T0 + 9)]


def test_the_first_opening_counts_and_updates_do_not() -> None:
    notes = [make_note("x", T0 + 5), make_note("x", T0 + 2), make_note("x", T0, activity="update")]
    assert first_times(notes) == {("account", "x", "distillation"): T0 + 2}


def test_labels_say_who_it_was() -> None:
    labels = [make_label("x", "C1"), make_label("y", archetype="bot")]
    notes = [make_note("x"), make_note("y"), make_note("stranger")]
    found = compare_incidents(make_story([], notes, labels=labels), make_story([], labels=labels))
    assert {pair.subject: pair.truth for pair in found.only_a} == {
        "x": "distilling, C1",
        "y": "benign, bot",
        "stranger": "",
    }


def test_campaigns_are_matched_by_their_members() -> None:
    """Of six accounts in either, p and q share five; r shares only one of five with p."""
    a = members("p", "abcdef")
    b = [*members("q", "abcde"), *members("r", "fxyz")]
    assert same_campaigns(a, b) == {"q": "p"}


def test_the_best_fit_is_taken_first_and_each_only_once() -> None:
    a = [*members("p", "abcd"), *members("o", "wxyz")]
    b = [*members("q", "abc"), *members("r", "abcd"), *members("s", "wxyz")]
    assert same_campaigns(a, b) == {"r": "p", "s": "o"}


def test_a_matched_campaign_is_in_both() -> None:
    a = make_story(
        [], [make_note("g1", T0 + 1, subject_kind="campaign", campaign_id="g1")], members=members("g1", "abc")
    )
    b = make_story(
        [], [make_note("g9", T0 + 7, subject_kind="campaign", campaign_id="g9")], members=members("g9", "abc")
    )
    (pair,) = compare_incidents(a, b).both
    assert (pair.subject, pair.first_a, pair.first_b) == ("g1", T0 + 1, T0 + 7)
