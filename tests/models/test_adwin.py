"""ADWIN takes River's decisions, value for value, and survives being put down as plain numbers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift
from stillwatch_models.learners.adwin import DELTA, GRACE, LEAST_PART, MOST_BUCKETS, Adwin


def series(seed: int, length: int) -> list[float]:
    """A level that jumps now and then; coin flips of it, or noise around it."""
    rng = random.Random(seed)
    level, values = rng.random(), []
    for _ in range(length):
        if rng.random() < 0.01:
            level = rng.random()
        values.append(float(rng.random() < level) if seed % 2 else rng.gauss(level, 0.1))
    return values


@given(seed=st.integers(0, 100_000))
@settings(max_examples=40, deadline=None)
def test_every_decision_is_rivers(seed: int) -> None:
    river = drift.ADWIN(
        delta=DELTA, clock=1, max_buckets=MOST_BUCKETS, min_window_length=LEAST_PART, grace_period=GRACE
    )
    ours = Adwin()
    for at, value in enumerate(series(seed, 500)):
        cut = ours.update(value)
        river._drift_detected = False  # River starts afresh after a drift; the paper's window goes on
        river.update(value)
        assert (at, cut, ours.width) == (at, river.drift_detected, river.width)
        assert ours.total == pytest.approx(river.total, abs=1e-9)
        assert ours.variance * ours.width == pytest.approx(river.variance, abs=1e-9)


def test_a_jump_is_cut_off_and_the_mean_follows() -> None:
    window = Adwin()
    cuts = [window.update(value) for value in [0.2, 0.3] * 60 + [0.7, 0.8] * 90]
    assert not any(cuts[:120])
    assert any(cuts[120:150])
    assert window.mean > 0.65  # what is left of before is too little to prove a difference


def test_a_steady_series_is_hardly_ever_cut() -> None:
    rng = random.Random(3)
    cut = sum(any(window.update(rng.gauss(0.5, 0.1)) for _ in range(300)) for window in [Adwin() for _ in range(100)])
    assert cut <= 5


def test_memory_grows_with_the_logarithm() -> None:
    window = Adwin()
    for value in series(2, 20_000):
        window.update(value)
    assert len(window.dump()) < 200


@given(seed=st.integers(0, 10_000), cut=st.integers(0, 300))
@settings(max_examples=20, deadline=None)
def test_a_dump_is_taken_over_to_the_last_bit(seed: int, cut: int) -> None:
    values = series(seed, 320)
    whole, first = Adwin(), Adwin()
    for value in values:
        whole.update(value)
    for value in values[:cut]:
        first.update(value)
    second = Adwin(dump=first.dump())
    for value in values[cut:]:
        second.update(value)
    assert second.dump() == whole.dump()
