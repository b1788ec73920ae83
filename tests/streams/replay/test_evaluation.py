"""The evaluation on a small world whose figures can be counted on fingers."""

from __future__ import annotations

import math

import pytest
from stillwatch_models.accounts import AccountRow
from stillwatch_streams.replay.evaluation import (
    DAY_MS,
    Evaluation,
    Truth,
    evaluate,
    first_reports,
    leaked_before,
    purity_of,
)
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.results import Member, Note

START = 1_000_000


def benign(account: str, archetype: str = "human") -> Label:
    return Label(account, distill=False, archetype=archetype, campaign_id="", family="")


def distill(account: str, campaign: str, family: str = "f") -> Label:
    return Label(account, distill=True, archetype="attack", campaign_id=campaign, family=family)


def result(account: str, score: float, first_alert_ts: int | None = None) -> AccountRow:
    return AccountRow(account, score, score, first_alert_ts, None, 1)


def note(subject_kind: str, time_ms: int, activity: str = "create") -> Note:
    return Note(time_ms, "distillation", activity, "high", subject_kind, "s", ())


@pytest.fixture
def world() -> Evaluation:
    """100 benign accounts scoring 0 to 99 (bots the top ten); campaign A: 2 accounts, B: 4, C: 1."""
    labels = [benign(f"b{n}", "bot" if n >= 90 else "human") for n in range(100)]
    labels += [distill("a0", "A", "f1"), distill("a1", "A", "f1")]
    labels += [distill(f"x{n}", "B", "f2") for n in range(4)]
    labels += [distill("c0", "C", "f2")]
    accounts = [result(f"b{n}", float(n), START + 5 if n == 99 else None) for n in range(100)]
    accounts += [result("a0", 500.0, START + 30), result("a1", 98.5)]
    accounts += [result("x0", 98.0), result("x1", 100.0), result("x2", math.nan)]  # x3 and c0 have no result
    members = [Member("g1", "x0", START + 50), Member("g1", "b7", START + 50), Member("g2", "x0", START + 20)]
    attack_times = {"A": [START + 10, START + 20, START + 30, START + 40], "B": [START + 10, START + 30], "C": [START]}
    notes = [note("account", START + 5), note("account", START + 5, "update"), note("campaign", START + DAY_MS)]
    truth = Truth({label.account_id: label for label in labels}, attack_times, START)
    return evaluate(truth, accounts, members, notes)


def test_recall_at_one_per_cent_lets_one_benign_account_through(world: Evaluation) -> None:
    """Threshold 98: a0, a1 and x1 exceed it; x0 only equals it."""
    recall = world.recall[0]
    assert (recall.false_positive_rate, recall.threshold) == (0.01, 98.0)
    assert (recall.pooled.hits, recall.pooled.total) == (3, 7)
    assert {name: one.rate for name, one in recall.by_campaign.items()} == {"A": 1.0, "B": 0.25, "C": 0.0}
    assert recall.macro == pytest.approx((1.0 + 0.25 + 0.0) / 3)
    assert (recall.by_family["f2"].hits, recall.by_family["f2"].total) == (1, 5)
    assert {name: one.hits for name, one in recall.by_archetype.items()} == {"bot": 1, "human": 0}


def test_recall_at_one_per_mille_lets_none_through(world: Evaluation) -> None:
    recall = world.recall[1]
    assert recall.threshold == 99.0
    assert recall.pooled.hits == 2


def test_a_campaign_is_found_by_alerts_or_by_reports(world: Evaluation) -> None:
    """A: 1 of 2 alerted. B: 1 of 4 reported, below 30 %. C: nothing."""
    found = {one.campaign_id: one for one in world.campaigns}
    assert [found[name].found for name in "ABC"] == [True, False, False]
    assert (found["A"].alerted, found["A"].reported, found["A"].caught.hits) == (1, 0, 1)
    assert (found["B"].alerted, found["B"].reported, found["B"].caught.hits) == (0, 1, 1)
    assert (world.campaigns_found.hits, world.campaigns_found.total) == (1, 3)


def test_leaks_are_counted_up_to_the_first_alert_of_any_member(world: Evaluation) -> None:
    """A: alert at +30, exchanges at +10 and +20 leaked. B: first report at +20. C: never, so everything."""
    assert {one.campaign_id: (one.leaked, one.exchanges) for one in world.campaigns} == {
        "A": (2, 4),
        "B": (1, 2),
        "C": (1, 1),
    }
    assert (world.leaked_share_median, world.leaked_share_worst) == (0.5, 1.0)


def test_benign_accounts_that_suffer(world: Evaluation) -> None:
    assert (world.benign_alerted.hits, world.benign_alerted.total) == (1, 100)
    assert world.benign_reported.hits == 1
    assert {name: one.hits for name, one in world.benign_alerted_by_archetype.items()} == {"bot": 1, "human": 0}
    assert (world.benign_accounts, world.distill_accounts, world.distill_alerted.hits) == (100, 7, 1)


def test_day_one_counts_incidents_opened_within_24_hours(world: Evaluation) -> None:
    assert world.day_one_alerts == {"account": 1}


def test_purity_of_reported_groups(world: Evaluation) -> None:
    assert [(one.campaign_id, one.mostly, one.belonging.rate) for one in world.reported_campaigns] == [
        ("g1", "B", 0.5),
        ("g2", "B", 1.0),
    ]
    assert (world.purity.hits, world.purity.total) == (2, 3)


def test_a_group_of_two_campaigns_belongs_to_the_larger() -> None:
    labels = {label.account_id: label for label in (distill("a", "A"), distill("b", "B"), distill("c", "B"))}
    (one,) = purity_of([Member("g", account, 1) for account in "abc"], labels)
    assert (one.mostly, one.belonging.hits) == ("B", 2)


def test_a_group_of_benign_and_unknown_accounts_belongs_to_nobody() -> None:
    (one,) = purity_of([Member("g", "a", 1), Member("g", "stranger", 1)], {"a": benign("a")})
    assert (one.mostly, one.belonging.hits, one.belonging.total) == (None, 0, 2)


def test_the_first_of_several_reports_counts() -> None:
    assert first_reports([Member("g1", "a", 9), Member("g2", "a", 4), Member("g3", "a", 6)]) == {"a": 4}


def test_an_exchange_at_the_moment_of_the_alert_is_no_leak() -> None:
    assert leaked_before(20, [10, 20, 30]) == 1
    assert leaked_before(None, [10, 20, 30]) == 3


def test_nothing_at_all_is_evaluated_without_complaint() -> None:
    empty = evaluate(Truth({}, {}, 0), [], [], [])
    assert empty.leaked_share_median is None
    assert empty.recall[0].threshold is None
    assert empty.campaigns == ()
