"""The evaluation on a small world whose figures can be counted on fingers."""

from __future__ import annotations

import math

import msgspec
import pytest
from stillwatch_models.accounts import AccountRow
from stillwatch_models.incidents import CAMPAIGN_MEMBER
from stillwatch_streams.replay.campaign_results import before, first_reports, purity_of
from stillwatch_streams.replay.evaluation import Evaluation, budget_use, evaluate
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.results import Member, Note
from stillwatch_streams.replay.truth import DAY_MS, Truth

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
    """100 benign accounts scoring 0 to 99 (bots the top ten); campaign A: 2 accounts, B: 4, C: 1, D only dormant."""
    labels = [benign(f"b{n}", "bot" if n >= 90 else "human") for n in range(100)]
    labels += [distill("a0", "A", "f1"), distill("a1", "A", "f1")]
    labels += [distill(f"x{n}", "B", "f2") for n in range(4)]
    labels += [distill("c0", "C", "f2"), distill("d0", "D", "f3"), distill("a2", "A", "f1")]
    accounts = [result(f"b{n}", float(n), START + 5 if n == 99 else None) for n in range(100)]
    accounts += [result("a0", 500.0, START + 30), result("a1", 98.5)]
    accounts += [result("d0", 0.0), result("a2", 0.0)]  # without an attack exchange
    accounts += [result("x0", 98.0), result("x1", 100.0), result("x2", math.nan)]  # x3 and c0 have no result
    members = [Member("g1", "x0", START + 50), Member("g1", "b7", START + 50), Member("g2", "x0", START + 20)]
    exchanges = {
        "A": {"a0": [START + 10, START + 20, START + 30], "a1": [START + 40]},
        "B": {"x0": [START + 10, START + 30], "x1": [START + 15], "x2": [START + 15], "x3": [START + 15]},
        "C": {"c0": [START]},
    }
    notes = [note("account", START + 5), note("account", START + 5, "update"), note("campaign", START + DAY_MS)]
    notes += [note("asn", START), note("asn", START + DAY_MS - 1)]
    truth = Truth({label.account_id: label for label in labels}, exchanges, START, benign_account_days=400)
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
    """A: alert at +30, exchanges at +10 and +20 leaked. B: first report at +20, four before. C: never, so all."""
    assert {one.campaign_id: (one.leaked, one.exchanges) for one in world.campaigns} == {
        "A": (2, 4),
        "B": (4, 5),
        "C": (1, 1),
    }
    assert (world.leaked_share_median, world.leaked_share_worst, world.leaked_worst) == (0.8, 1.0, 4)


def test_an_exchange_is_contained_once_its_own_account_is_named(world: Evaluation) -> None:
    """A: a0 alerted at +30, a1 never. B: x0 reported at +20, the others never. C: never."""
    assert {one.campaign_id: one.uncontained for one in world.campaigns} == {"A": 3, "B": 4, "C": 1}
    assert world.uncontained_share == pytest.approx(8 / 10)


def test_who_has_not_attacked_yet_is_neither_found_nor_missed(world: Evaluation) -> None:
    """D has no exchange at all; a2 of A none either, so A has two accounts and not three."""
    assert world.dormant_accounts == 2
    assert [(one.campaign_id, one.accounts) for one in world.campaigns] == [("A", 2), ("B", 4), ("C", 1)]
    assert "D" not in world.recall[0].by_campaign


def test_the_macro_average_has_an_interval_around_it(world: Evaluation) -> None:
    """1 of 2, 1 of 4 and 0 of 1 at 1 - 0.05/3 each: wide, and never narrower than the pooled one."""
    recall = world.recall[0]
    assert recall.macro_interval.rate == recall.macro
    assert recall.macro_interval.low < recall.pooled.low
    assert recall.macro_interval.high > recall.pooled.high


def test_the_budget_is_counted_in_account_days(world: Evaluation) -> None:
    use = world.budget_use
    assert (use.alerted, use.account_days, use.per_10k) == (1, 400, 25.0)
    assert use.low < 1.0
    assert 100.0 < use.high < 150.0


def test_no_account_day_and_no_alert_is_no_budget_used() -> None:
    assert budget_use(0, 0).per_10k == 0.0


def test_benign_accounts_that_suffer(world: Evaluation) -> None:
    assert (world.benign_alerted.hits, world.benign_alerted.total) == (1, 100)
    assert world.benign_reported.hits == 1
    assert {name: one.hits for name, one in world.benign_alerted_by_archetype.items()} == {"bot": 1, "human": 0}
    assert {name: one.hits for name, one in world.benign_reported_by_archetype.items()} == {"bot": 0, "human": 1}
    assert (world.benign_accounts, world.distill_accounts, world.distill_alerted.hits) == (100, 7, 1)


def test_day_one_counts_incidents_opened_within_24_hours(world: Evaluation) -> None:
    assert world.day_one_alerts == {"account": 1, "asn": 2}
    assert world.day_one_group_alerts == 2


def test_a_member_alerted_for_its_company_is_a_group_alert() -> None:
    member = msgspec.structs.replace(note("account", START), kind=CAMPAIGN_MEMBER)
    found = evaluate(Truth({}, {}, START), [], [], [member, note("account", START)])
    assert (found.day_one_alerts, found.day_one_group_alerts) == ({"account": 2}, 1)


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
    assert before(20, [10, 20, 30]) == 1
    assert before(None, [10, 20, 30]) == 3


def test_nothing_at_all_is_evaluated_without_complaint() -> None:
    empty = evaluate(Truth({}, {}, 0), [], [], [])
    assert empty.leaked_share_median is None
    assert empty.recall[0].threshold is None
    assert empty.campaigns == ()
