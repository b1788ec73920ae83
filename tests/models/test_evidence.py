"""The harvest test: its false-alarm bound, its power, its rates, and the ranking."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_models import evidence
from stillwatch_models.evidence import Rates

RATES = Rates()


def nats_over_time(events: np.ndarray) -> np.ndarray:
    """Evidence after each event of each account; `events` (accounts, n) holds 0 and 1."""
    harvest = np.cumsum(events, axis=1)
    seen = np.broadcast_to(np.arange(1, events.shape[1] + 1), events.shape)
    return evidence.harvest_nats(harvest, harvest, seen, RATES)


@pytest.mark.parametrize("budget", [100.0, 500.0])
def test_innocent_accounts_exceed_the_bound_no_more_often_than_promised(budget: float) -> None:
    """Ville's bound at any time, at the least favourable null: every request with probability p0."""
    accounts = 3_000
    rng = np.random.default_rng(4)
    events = (rng.random((accounts, 400)) < RATES.strict).astype(np.int64)
    alarmed = (nats_over_time(events).max(axis=1) >= evidence.threshold(budget)).sum()
    allowed = budget / 10_000 * accounts
    assert alarmed <= allowed + 3 * math.sqrt(allowed)


def test_a_harvester_passes_within_a_few_dozen_requests() -> None:
    rng = np.random.default_rng(5)
    events = (rng.random((500, 60)) < 0.9).astype(np.int64)
    passed = nats_over_time(events) >= evidence.threshold(5.0)
    assert passed[:, 29].mean() > 0.9
    assert passed[:, -1].all()


def test_the_evidence_is_a_martingale_under_the_null() -> None:
    """E has mean 1 at every n: summed exactly over the binomial distribution."""
    n, p = 12, RATES.strict
    y = np.arange(n + 1)
    weight = np.array([math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in y])
    strict = evidence.harvest_nats(y, np.zeros_like(y), np.full_like(y, n), Rates(strict=p, loose=0.5))
    loose_part = math.exp(evidence.harvest_nats(np.array([0]), np.array([0]), np.array([n]), Rates(p, 0.5))[0])
    zero_strict = math.exp(float(evidence._log_e(np.array([0]), np.array([n]), p)[0]))
    loose = 2 * loose_part - zero_strict
    assert float((weight * (2 * np.exp(strict) - loose)).sum()) == pytest.approx(1.0, abs=1e-9)


def test_rates_follow_the_population_within_bounds_and_not_a_minority() -> None:
    events = np.full(200, 100)
    calm = np.full(200, 5)
    assert evidence.rates_of(calm, calm, events) == Rates(0.25, 0.5)
    formal = np.full(200, 30)
    assert evidence.rates_of(formal, formal, events).strict == pytest.approx(0.40)
    campaign = calm.copy()
    campaign[:25] = 95
    assert evidence.rates_of(campaign, campaign, events) == Rates(0.25, 0.5)
    assert evidence.rates_of(np.full(200, 99), np.full(200, 99), events) == Rates(0.6, 0.75)
    assert evidence.rates_of(formal[:20], formal[:20], events[:20]) == Rates()


@given(budget=st.floats(0.01, 1_000), factor=st.floats(1.01, 4))
def test_a_larger_budget_is_a_lower_threshold(budget: float, factor: float) -> None:
    assert evidence.threshold(budget * factor) < evidence.threshold(budget)


@given(harvest=st.integers(0, 500), more=st.integers(1, 50), events=st.integers(600, 900))
def test_more_harvest_among_as_many_events_is_never_less_evidence(harvest: int, more: int, events: int) -> None:
    counts = np.array([harvest, harvest + more])
    above = np.maximum(counts, int(0.75 * events))  # the informal part is held where it speaks for harvesting
    low, high = evidence.harvest_nats(counts, above, np.array([events, events]), RATES)
    if harvest >= RATES.strict * events:
        assert high >= low


def test_suspicion_counts_in_full_only_after_time_or_many_events() -> None:
    nats = np.full(4, 30.0)
    ranked = evidence.suspicion(nats, np.array([1, 3, 6, 1]), np.array([10, 10, 10, 1_000]))
    assert ranked.tolist() == pytest.approx([5.0, 15.0, 30.0, 30.0])
    assert evidence.suspicion(np.array([-50.0]), np.array([1]), np.array([0])).tolist() == [-20.0]


def test_the_joint_score_caps_every_detector() -> None:
    p_values = np.array([[1e-9, 1.0], [1.0, 1.0]])
    assert evidence.joint_score(p_values, [2.0, 1.0]).tolist() == [2.0 * evidence.CAP_NATS, 0.0]
