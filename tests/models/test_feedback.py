"""What follows from verdicts when accounts are scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stillwatch_models import evidence
from stillwatch_models.accounts import ROW, AccountTable, Rows, key_of
from stillwatch_models.config import EngineConfig
from stillwatch_models.evidence import Rates
from stillwatch_models.feedback import COUNTS, LEAST_TRUST, MOST_JUDGED, Feedback
from stillwatch_models.learners.reranker import MOST_NATS
from stillwatch_models.scoring import NAMES, STRONG_P, Scorer
from support.builders import T0, make_verdict

PANE = 1_000
REJECTED_PANES = 100


def rows_of(*accounts: str, **fields: Any) -> Rows:
    """One row an account with these fields."""
    rows = np.zeros(len(accounts), ROW)
    rows["key"] = [key_of(account) for account in accounts]
    for name, value in ({"events": 100, "answers": 100, "pane": PANE} | fields).items():
        rows[name] = value
    return rows


def judged(rows: Rows, **verdict: Any) -> Feedback:
    """Feedback that has heard one verdict on `acct-1`, whose row is the first."""
    feedback = Feedback(REJECTED_PANES)
    feedback.note(make_verdict(**verdict), PANE, rows[0], Rates())
    return feedback


def test_without_verdicts_rows_are_passed_on_untouched() -> None:
    rows = rows_of("acct-1", harvest=50)
    assert Feedback(REJECTED_PANES).since(rows) is rows
    assert judged(rows, label="distillation").since(rows) is rows


def test_only_what_came_after_a_benign_verdict_counts() -> None:
    before = rows_of("acct-1", "acct-2", harvest=50, informal_harvest=60, harvest_blocks=9, blocks=12)
    feedback = judged(before, label="benign")
    later = rows_of("acct-1", "acct-2", harvest=57, informal_harvest=55, answers=130, harvest_blocks=10, blocks=14)
    since = feedback.since(later)
    assert [int(since[name][0]) for name in COUNTS] == [7, 0, 30, 1, 2]
    assert since[1] == later[1]
    assert int(later["harvest"][0]) == 57  # the table's own row stays as it is


def test_the_rate_that_an_analyst_accepted_is_innocent_from_now_on() -> None:
    feedback = judged(rows_of("acct-1", harvest=60, informal_harvest=60), label="benign")
    same = rows_of("acct-1", harvest=120, informal_harvest=120, answers=200)
    more = rows_of("acct-1", harvest=158, informal_harvest=158, answers=200)
    for rows, quiet in ((same, True), (more, False)):
        since = feedback.since(rows)
        plain = evidence.harvest_nats(since["harvest"], since["informal_harvest"], since["answers"], Rates())
        own = feedback.nats(since, plain.copy())
        assert plain[0] > 5.0
        assert bool(own[0] < 0.0) is quiet


def test_acceptance_ends_and_then_the_population_decides_again() -> None:
    feedback = judged(rows_of("acct-1", harvest=60), label="benign")
    since = feedback.since(rows_of("acct-1", harvest=120, answers=200, pane=PANE + REJECTED_PANES + 1))
    assert feedback.nats(since, np.array([9.0]))[0] == 9.0


def test_acceptance_never_adds_evidence() -> None:
    feedback = judged(rows_of("acct-1", harvest=0), label="benign")
    since = feedback.since(rows_of("acct-1", harvest=40, answers=200))
    assert feedback.nats(since, np.array([-3.0]))[0] <= -3.0


def test_trust_falls_with_rejections_recovers_with_confirmations_and_is_never_lost() -> None:
    feedback = Feedback(REJECTED_PANES)
    row = rows_of("acct-1")
    assert feedback.weights(("volume", "other"), (0.5, 1.0)) == (0.5, 1.0)
    for _ in range(2):
        feedback.learn(row, ["volume"], distils=False)
    low = feedback.trust_in("volume")
    assert LEAST_TRUST < low < 1.0
    assert feedback.trust_in("other") == 1.0
    feedback.learn(row, ["volume"], distils=True)
    assert feedback.trust_in("volume") > low
    for _ in range(100):
        feedback.learn(row, ["volume"], distils=False)
    assert feedback.weights(("volume",), (0.5,)) == (0.25,)


def test_memory_of_verdicts_is_bounded_and_the_oldest_go() -> None:
    feedback = Feedback(REJECTED_PANES)
    feedback.judged = dict.fromkeys(
        (f"acct-{n}" for n in range(MOST_JUDGED)), judged(rows_of("acct-1"), at=T0 + 10).judged["acct-1"]
    )
    feedback.note(make_verdict(subject="new", at=T0 + 20), PANE, rows_of("new")[0], Rates())
    assert len(feedback.judged) == MOST_JUDGED
    assert "new" in feedback.judged
    assert "acct-0" not in feedback.judged
    assert dict(feedback.take_dirty())[b"v:acct-0"] is None


def test_dumps_add_up_and_restore() -> None:
    feedback = judged(rows_of("acct-1", harvest=5), label="benign")
    feedback.learn(rows_of("acct-1"), ["harvest"], distils=False)
    rows = {key: row for key, row in feedback.take_dirty() if row is not None}
    assert rows == dict(feedback.dump())
    assert list(feedback.take_dirty()) == []
    other = Feedback(REJECTED_PANES)
    other.load(rows)
    assert dict(other.dump()) == rows
    later = rows_of("acct-1", harvest=9)
    assert other.since(later) == feedback.since(later)


def test_before_the_first_verdict_there_is_nothing_to_keep() -> None:
    assert dict(Feedback(REJECTED_PANES).dump()) == {}


def taught_scorer() -> Scorer:
    """One whose re-ranker has learned that harvesting with much variety is benign, and has a population."""
    scorer = Scorer(EngineConfig(min_reference_accounts=5))
    for number in range(20):
        harvests = number % 2 == 0
        row = rows_of(f"a{number}", harvest=90 if harvests else 2, informal_harvest=90 if harvests else 2)
        scorer.feedback.learn(row, ["harvest"], distils=not harvests)
    calm = rows_of(*(f"p{number}" for number in range(2_000)), events=100)
    calm["scores"][:, : len(NAMES)] = np.linspace(0.0, 1.0, 2_000)[:, None]
    table = AccountTable()
    table.put(np.array(table.slots([f"p{number}" for number in range(2_000)])), calm)
    scorer.begin_epoch(table, 1)
    return scorer


def suspects(*, loud: float) -> Rows:
    """An account with strong harvest evidence, whose volume stands out as given."""
    rows = rows_of("suspect", harvest=90, informal_harvest=90, blocks=10, harvest_blocks=10)
    rows["scores"][:, NAMES.index("volume")] = loud
    return rows


def test_it_takes_rank_from_what_analysts_reject() -> None:
    scorer, plain = taught_scorer(), Scorer(EngineConfig())
    plain.rates = scorer.rates
    quiet = suspects(loud=0.5)
    lost = plain.suspicion(quiet)[0] - scorer.suspicion(quiet)[0]
    assert 1.0 < lost < MOST_NATS


def test_it_cannot_silence_two_strong_signals_of_different_kinds() -> None:
    scorer, plain = taught_scorer(), Scorer(EngineConfig())
    plain.rates = scorer.rates
    strong = suspects(loud=2.0)
    assert scorer.p_values(strong)[0, NAMES.index("volume")] <= STRONG_P
    assert scorer.suspicion(strong)[0] >= plain.suspicion(strong)[0]


def test_a_verdict_outranks_everything() -> None:
    scorer = taught_scorer()
    rows = rows_of("acct-1", "loudest", harvest=[0, 100], blocks=100, incident_pane=5)
    scorer.feedback.note(make_verdict(label="distillation"), PANE, rows[0], Rates())
    confirmed, loudest = scorer.suspicion(rows).tolist()
    assert confirmed > loudest


@pytest.mark.parametrize("label", ["benign", "unsure"])
def test_only_distillation_confirms(label: str) -> None:
    rows = rows_of("acct-1", "acct-2")
    assert judged(rows, label="distillation").confirmed(rows).tolist() == [True, False]
    assert not judged(rows, label=label).confirmed(rows).any()
