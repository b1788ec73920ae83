"""The sequential test: its false-alarm rate on null blocks, its knob, and the tail it is fed with."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models import evidence

BLOCKS_PER_DAY = 24


def alarms(nats: np.ndarray, threshold: float) -> int:
    """Blocks in which an account's evidence crosses the threshold upwards; `nats` (accounts, blocks)."""
    total = np.zeros(len(nats))
    crossings = 0
    for block in nats.T:
        after = evidence.accumulate(total, block)
        crossings += int(((after >= threshold) & (total < threshold)).sum())
        total = after
    return crossings


def test_theta_is_lundbergs_root() -> None:
    root = (1 - evidence.THETA) * math.exp(evidence.THETA * evidence.DRIFT_NATS)
    assert root == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("budget", [100.0, 1_000.0])
def test_null_blocks_stay_within_the_budget(budget: float) -> None:
    """Independent exponential blocks, which is what the test assumes of innocent accounts."""
    accounts, days = 4_000, 25
    nats = np.random.default_rng(20).exponential(1.0, (accounts, days * BLOCKS_PER_DAY))
    allowed = budget / 10_000 * accounts * days
    seen = alarms(nats, evidence.threshold(budget, 3_600.0))
    assert seen <= allowed + 3 * math.sqrt(allowed)
    assert seen >= allowed / 40  # the bound is generous, not empty


def test_longer_blocks_allow_more_alarms_each() -> None:
    """The budget is per day: with a day's blocks each may use a day's budget."""
    assert evidence.threshold(5.0, 86_400.0) < evidence.threshold(5.0, 3_600.0)
    assert evidence.threshold(5.0, 86_400.0) == pytest.approx(-math.log(5e-4) / evidence.THETA)


@given(low=st.floats(0.01, 1_000), factor=st.floats(1.01, 100))
@settings(max_examples=40, deadline=None)
def test_a_larger_budget_is_a_lower_threshold(low: float, factor: float) -> None:
    assert evidence.threshold(low * factor, 3_600.0) < evidence.threshold(low, 3_600.0)


def test_a_steady_campaign_passes_and_a_lucky_hour_does_not() -> None:
    threshold = evidence.threshold(5.0, 3_600.0)
    assert alarms(np.full((1, 24), 5.0), threshold) == 1
    once = np.full((1, 24), 0.7)
    once[0, 5] = 10.0
    assert alarms(once, threshold) == 0


def test_evidence_fades_but_is_never_negative() -> None:
    total = np.array([10.0, 0.5])
    for _ in range(3):
        total = evidence.accumulate(total, np.zeros(2))
    assert total.tolist() == [1.0, 0.0]


def test_the_tail_of_an_exponential_population_is_its_own() -> None:
    reference = np.sort(np.random.default_rng(3).exponential(2.0, 20_000)).astype(np.float32)
    joint = np.array([1.5, 5.0, 12.0])
    assert evidence.tail_nats(joint, reference) == pytest.approx(joint / 2.0, rel=0.05)


def test_the_fit_does_not_look_at_the_top_tenth() -> None:
    """A campaign that is already inside the population does not hide itself."""
    reference = np.sort(np.random.default_rng(4).exponential(1.0, 1_000)).astype(np.float32)
    infested = reference.copy()
    infested[905:] += 50.0
    joint = np.linspace(0, 60, 7)
    assert (evidence.tail_nats(joint, infested) == evidence.tail_nats(joint, reference)).all()
    assert evidence.tail_nats(np.array([50.0]), infested)[0] > 20


def test_no_population_and_a_population_without_spread_prove_nothing() -> None:
    assert evidence.tail_nats(np.array([99.0]), np.zeros(0, np.float32)).tolist() == [0.0]
    same = np.full(100, 3.0, np.float32)
    assert evidence.tail_nats(np.array([3.0]), same)[0] == pytest.approx(math.log(2.0))


def test_no_signal_decides_alone() -> None:
    weights = np.array([1.0, 0.5, 1.5])
    one = evidence.joint_score(np.array([[1e-12, 1.0, 1.0]]), weights)
    assert one.tolist() == [evidence.CAP_NATS]
    every = evidence.joint_score(np.array([[1e-12, 1e-12, 1e-12]]), weights)
    assert every.tolist() == [3.0 * evidence.CAP_NATS]


def test_a_joint_score_does_not_depend_on_its_neighbours() -> None:
    p = np.random.default_rng(5).uniform(0.001, 1, (50, 7))
    weights = np.linspace(0.1, 2, 7)
    whole = evidence.joint_score(p, weights)
    assert whole.tolist() == [float(evidence.joint_score(row[None], weights)[0]) for row in p]
