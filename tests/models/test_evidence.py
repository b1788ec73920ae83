"""The sequential test: its false-alarm rate, its knob, the rates it allows, and how accounts are ranked."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models import evidence
from stillwatch_models.evidence import LOOSE_BOUNDS, STRICT_BOUNDS, Rates

LOWEST = Rates()


def nats(harvest: int, events: int, informal: int | None = None, rates: Rates = LOWEST) -> float:
    """Evidence about one account."""
    loose = harvest if informal is None else informal
    return float(evidence.harvest_nats(np.array([harvest]), np.array([loose]), np.array([events]), rates)[0])


def paths(strict: float, loose: float, accounts: int, events: int) -> np.ndarray:
    """Evidence after each event of accounts whose requests are harvest events by chance, (accounts, events)."""
    draws = np.random.default_rng(8).random((accounts, events))
    count = np.broadcast_to(np.arange(1, events + 1), draws.shape)
    return evidence.harvest_nats((draws < strict).cumsum(axis=1), (draws < loose).cumsum(axis=1), count, LOWEST)


@pytest.mark.parametrize("bound", [0.05, 0.01])
def test_an_innocent_account_ever_alarms_as_rarely_as_promised(bound: float) -> None:
    """At the very border of the null hypothesis and looked at after each of 1,000 requests (Ville's inequality)."""
    ever = (paths(LOWEST.strict, LOWEST.loose, 4_000, 1_000) >= -math.log(bound)).any(axis=1).mean()
    assert ever <= bound + 3 * math.sqrt(bound / 4_000)
    assert ever >= bound / 20  # the bound is not empty either


def test_below_the_border_alarms_are_rarer_still() -> None:
    ever = (paths(LOWEST.strict / 2, LOWEST.loose / 2, 4_000, 300) >= -math.log(0.01)).any(axis=1).mean()
    assert ever <= 0.01 / 3


def test_a_harvester_is_plain_within_a_hundred_requests() -> None:
    reached = (paths(0.8, 0.9, 500, 100) >= evidence.threshold(5.0)).any(axis=1)
    assert reached.mean() > 0.99


@pytest.mark.parametrize(("past", "needed"), [(0, 8), (1_000, 470)])
def test_an_innocent_past_delays_and_does_not_protect(past: int, needed: int) -> None:
    """The figures stand in `docs/detection.md`, as what it would take without restarts (`test_restarts`)."""
    reached = next(n for n in range(1, 10_000) if nats(n, past + n) >= evidence.threshold(5.0))
    assert reached == pytest.approx(needed, rel=0.02)


@given(events=st.integers(1, 3_000), share=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_more_harvest_among_as_many_requests_is_more_evidence(events: int, share: float) -> None:
    harvest = int(share * (events - 1))
    assert nats(harvest + 1, events) > nats(harvest, events)
    assert nats(harvest, events, events) >= nats(harvest, events, harvest)


def test_nothing_seen_is_no_evidence() -> None:
    assert nats(0, 0) == pytest.approx(0.0)


def test_the_greatest_counts_stay_finite() -> None:
    assert math.isfinite(nats(10**9, 10**9))
    assert math.isfinite(nats(0, 10**9))


def test_informal_harvest_has_a_higher_bar() -> None:
    """Half of the requests in informal words proves nothing; nearly all of them does."""
    assert nats(0, 60, 30) < 0
    assert nats(0, 60, 60) > evidence.threshold(5.0)


@given(low=st.floats(0.01, 1_000), factor=st.floats(1.01, 4))
@settings(max_examples=40, deadline=None)
def test_a_larger_budget_is_a_lower_threshold(low: float, factor: float) -> None:
    assert evidence.threshold(low * factor) < evidence.threshold(low)


def test_the_threshold_is_the_budget() -> None:
    assert evidence.threshold(5.0) == pytest.approx(-math.log(5 / 10_000))
    assert evidence.threshold(1e9) > 0  # however generous, something has to be shown


def test_a_tier_is_its_budget_and_never_below_the_one_before_it() -> None:
    assert evidence.thresholds(5.0, 0.01, 0.0001) == tuple(evidence.threshold(b) for b in (5.0, 0.01, 0.0001))
    strict = evidence.threshold(0.001)
    assert evidence.thresholds(0.001, 0.01, 0.1) == (strict, strict, strict)
    assert evidence.thresholds(5.0, 0.001, 0.01) == (evidence.threshold(5.0), strict, strict)


def shares(*groups: tuple[int, float]) -> Rates:
    """Rates of a population: so many accounts with such a share, 100 requests each."""
    harvest = np.repeat([round(100 * share) for _, share in groups], [accounts for accounts, _ in groups])
    return evidence.rates_of(harvest, harvest, np.full(len(harvest), 100))


def test_the_allowed_rate_follows_the_population_within_bounds() -> None:
    assert shares((1_000, 0.0)) == Rates(STRICT_BOUNDS[0], LOOSE_BOUNDS[0])
    assert shares((1_000, 0.3)).strict == pytest.approx(0.3 + evidence.MARGIN)
    assert shares((1_000, 1.0)) == Rates(STRICT_BOUNDS[1], LOOSE_BOUNDS[1])


def test_harvesters_that_are_fewer_than_one_in_seven_do_not_move_it() -> None:
    assert shares((880, 0.2), (120, 1.0)) == shares((1_000, 0.2))
    assert shares((700, 0.2), (300, 1.0)).strict > shares((1_000, 0.2)).strict  # a takeover does, up to the bound


def test_an_account_has_one_vote_whatever_its_traffic() -> None:
    events = np.full(200, 100)
    heavy = events.copy()
    heavy[:10] = 10**6
    harvest = (0.2 * events).astype(np.int64)
    loud = np.where(heavy > 100, heavy, harvest)
    assert evidence.rates_of(loud, loud, heavy) == evidence.rates_of(harvest, harvest, events)


def test_a_small_population_has_no_say() -> None:
    assert shares((evidence.KNOWN_ACCOUNTS - 1, 1.0)) == Rates()


def test_suspicion_is_bounded_and_discounted_while_it_is_young() -> None:
    ten = np.full(4, 1_000.0)
    ranked = evidence.suspicion(ten, np.array([1, 3, 6, 1]), np.array([10, 10, 10, 5_000])).tolist()
    assert ranked[0] < ranked[1] < ranked[2] == ranked[3] == evidence.MOST_NATS
    innocent = evidence.suspicion(np.array([-5.0, -1e9]), np.array([1, 9]), np.array([0, 0])).tolist()
    assert innocent == [-5.0, evidence.LEAST_NATS]


def test_no_signal_decides_alone() -> None:
    weights = (1.0, 0.5, 1.5)
    assert evidence.joint_score(np.array([[1e-12, 1.0, 1.0]]), weights).tolist() == [evidence.CAP_NATS]
    assert evidence.joint_score(np.full((1, 3), 1e-12), weights).tolist() == [3.0 * evidence.CAP_NATS]


def test_a_joint_score_does_not_depend_on_its_neighbours() -> None:
    p = np.random.default_rng(5).uniform(0.001, 1, (50, 7))
    weights = tuple(np.linspace(0.1, 2, 7).tolist())
    whole = evidence.joint_score(p, weights)
    assert whole.tolist() == [float(evidence.joint_score(row[None], weights)[0]) for row in p]
