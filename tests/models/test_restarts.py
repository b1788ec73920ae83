"""Restarts of the harvest test: an innocent past buys no time, the bound holds, counts taken back are consistent."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models import evidence, features, restarts
from stillwatch_models.accounts import ROW, START, Rows, key_of
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors import DETECTORS, Values
from stillwatch_models.evidence import Rates
from stillwatch_models.explain import reasons
from stillwatch_models.feedback import Feedback
from stillwatch_models.scoring import Scored, Scorer
from stillwatch_schemas.compiled import compiled
from stillwatch_schemas.findings import Evidence
from support.builders import make_verdict

EPOCH = 100
"""Panes."""


def row_after(days: list[tuple[int, int]], epoch: int = EPOCH) -> Rows:
    """One account's row after epochs of (answers, harvest events), each in its middle pane; -1 answers: silent."""
    rows = np.zeros(1, ROW)
    for number, (answers, harvest) in enumerate(days):
        if answers < 0:
            continue
        pane = (10 + number) * epoch + epoch // 2
        restarts.begin(rows[0], pane, epoch)
        rows["pane"] = pane
        for name, more in (("events", answers), ("answers", answers), ("harvest", harvest)):
            rows[name] += more
        rows["informal_harvest"] += harvest
        rows["harvest_blocks"] += min(harvest, 12)
    return rows


@compiled
def begin_all(rows: Rows, pane: int, epoch: int) -> None:
    for row in rows:
        restarts.begin(row, pane, epoch)


def since(rows: Rows) -> list[tuple[int, int]]:
    """(answers, harvest events) since the older and the later start."""
    return [(int(window["answers"][0]), int(window["harvest"][0])) for window in restarts.windows(rows)]


def test_the_two_latest_starts_are_kept() -> None:
    assert since(row_after([(5, 1)])) == [(5, 1), (5, 1)]
    assert since(row_after([(5, 1), (7, 2)])) == [(12, 3), (7, 2)]
    assert since(row_after([(5, 1), (7, 2), (9, 3)])) == [(16, 5), (9, 3)]


def test_after_a_silence_both_start_where_the_account_comes_back() -> None:
    assert since(row_after([(5, 1), (-1, 0), (-1, 0), (9, 3)])) == [(9, 3), (9, 3)]


def test_an_aged_account_is_found_within_two_epochs_whatever_its_past() -> None:
    """Of a whole life it would take 470 harvest requests after 1,000 innocent ones; see `docs/detection.md`."""
    scorer = Scorer(EngineConfig())
    life = evidence.harvest_nats(*(np.array([n]) for n in (20, 20, 1_020)), Rates())
    assert life[0] < 0
    aged = row_after([(1_000, 0), (20, 20)])
    assert scorer._harvest_nats(aged)[0] > evidence.threshold(5.0)  # the test itself, without the scores around it


def test_an_alert_of_an_aged_account_tells_the_counts_that_decided() -> None:
    scorer = Scorer(EngineConfig())
    told = reason_of(scorer, row_after([(1_000, 0), (20, 20)]))
    assert told.statement.startswith("20 of 20 answered requests")
    assert told.horizon == "the last 48 h at most"
    assert reason_of(scorer, row_after([(20, 20), (30, 30)])).horizon == "account life"


def reason_of(scorer: Scorer, rows: Rows) -> Evidence:
    """What is said first about an account."""
    values = Values(features.matrix(rows), np.zeros(1))
    columns = np.ones((1, len(DETECTORS)))
    number, none = scorer._harvest_nats(rows), np.zeros(1, np.int64)
    scored = Scored(
        values=values, scores=columns, p_values=columns, nats=number, tier=none, transition=none, first_pane=none
    )
    return reasons(scorer, scored, 0, rows[0], ())[0]


def test_a_restarted_test_counts_only_once_it_lasts_by_itself() -> None:
    """A busy morning of an old customer is no alarm: it has to go on for as many hours as a newcomer's."""
    scorer = Scorer(EngineConfig())
    rows = row_after([(1_000, 0), (40, 40)])
    rows["harvest_blocks"] = rows["starts"]["harvest_blocks"][:, 1] + scorer.config.persistence_blocks - 1
    assert scorer._harvest_nats(rows)[0] < 0
    rows["harvest_blocks"] += 1
    assert scorer._harvest_nats(rows)[0] > evidence.threshold(5.0)


@pytest.mark.parametrize("bound", [0.05, 0.01])
def test_an_innocent_account_alarms_at_most_as_often_as_its_starts_allow(bound: float) -> None:
    """At the border of the hypothesis, looked at after every request, without the persistence that comes on top."""
    accounts, epochs, each = 1_500, 8, 40
    rng, rates = np.random.default_rng(3), Rates()
    rows, alarmed = np.zeros(accounts, ROW), np.zeros(accounts, bool)
    for pane in range(epochs * each):
        begin_all(rows, pane, each)
        rows["pane"] = pane
        rows["answers"] += 1
        rows["harvest"] += rng.random(accounts) < rates.strict
        rows["informal_harvest"] += rng.random(accounts) < rates.loose
        life = [(rows["harvest"], rows["informal_harvest"], rows["answers"])]
        again = [(w["harvest"], w["informal_harvest"], w["answers"]) for w in restarts.windows(rows)]
        for counts in life + again:
            alarmed |= evidence.harvest_nats(*counts, rates) >= -math.log(bound)
    allowed = bound * (2 + epochs)
    assert alarmed.mean() <= allowed + 3 * math.sqrt(allowed / accounts)
    assert alarmed.mean() >= allowed / 100  # the bound is not empty either


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_taking_back_equals_never_having_counted(data: st.DataObject) -> None:
    """Events that are taken back later leave the counts as if they had been none."""
    panes = sorted(data.draw(st.lists(st.integers(0, 6 * EPOCH), min_size=2, max_size=30)))
    back = data.draw(st.sets(st.sampled_from(panes[:-1])))
    rows, never = np.zeros(1, ROW), np.zeros(1, ROW)
    for pane in panes:
        for row, counts in ((rows, True), (never, pane not in back)):
            restarts.begin(row[0], pane, EPOCH)
            row["pane"] = pane
            row["harvest"] += counts
            row["informal_harvest"] += counts
    for pane in sorted(back):
        times = panes.count(pane)
        rows["harvest"] -= times
        rows["informal_harvest"] -= times
        for _ in range(times):
            restarts.take_back(rows[0], pane, 1, 1, EPOCH)
    assert rows["starts"].tolist() == never["starts"].tolist()


def test_after_a_benign_verdict_a_restart_holds_what_came_after_both() -> None:
    """What the analyst accepted is gone from the whole life, and what came before the restart from the restart."""
    feedback = Feedback(rejected_panes=10**6)
    before = row_after([(30, 20)])
    before["key"] = key_of("acct-1")
    feedback.note(make_verdict(subject="acct-1", label="benign"), int(before["pane"][0]), before[0], Rates())
    after = row_after([(30, 20), (10, 5), (4, 3)])
    after["key"] = key_of("acct-1")
    rows = feedback.since(after)
    assert (int(rows["answers"][0]), int(rows["harvest"][0])) == (14, 8)
    assert since(rows) == [(14, 8), (4, 3)]


def test_no_start_is_lost_when_counts_are_huge() -> None:
    rows = np.zeros(1, ROW)
    rows["answers"], rows["pane"] = 2**40, 5 * EPOCH
    restarts.begin(rows[0], 6 * EPOCH, EPOCH)
    assert rows["starts"]["answers"].tolist() == [[0, restarts.MOST]]
    assert set(START.names or ()) <= set(ROW.names or ())
