"""Shares, intervals and thresholds, against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from stillwatch_streams.replay.statistics import mean_of, median, share, sign_test, threshold_for


def test_the_interval_of_three_in_ten_is_the_published_one() -> None:
    """Clopper-Pearson 95 % for 3 of 10: 0.0667 to 0.6525."""
    found = share(3, 10)
    assert (found.hits, found.total, found.rate) == (3, 10, 0.3)
    assert found.low == pytest.approx(0.0667, abs=5e-5)
    assert found.high == pytest.approx(0.6525, abs=5e-5)


def test_none_of_n_has_the_closed_form_upper_limit() -> None:
    """For 0 of n the upper limit is 1 - (0.025)^(1/n)."""
    found = share(0, 20)
    assert found.low == 0.0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_all_of_n_mirrors_none_of_n() -> None:
    found = share(20, 20)
    assert found.low == pytest.approx(0.025 ** (1 / 20))
    assert found.high == 1.0


def test_a_share_of_nothing_is_wholly_unknown() -> None:
    found = share(0, 0)
    assert (found.rate, found.low, found.high) == (0.0, 0.0, 1.0)


def test_the_mean_of_one_share_has_its_interval() -> None:
    one, found = share(3, 10), mean_of([share(3, 10)])
    assert (found.rate, found.low, found.high) == pytest.approx((one.rate, one.low, one.high))


def test_the_mean_of_nothing_is_wholly_unknown() -> None:
    assert (mean_of([]).rate, mean_of([]).low, mean_of([]).high) == (0.0, 0.0, 1.0)


def test_the_interval_of_a_mean_holds_as_often_as_it_says() -> None:
    """Three campaigns of unequal size and recall, drawn 2,000 times: at least 95 % of the intervals hold the truth."""
    sizes, rates = (4, 20, 60), (0.9, 0.5, 0.2)
    draws = np.random.default_rng(3).binomial(sizes, rates, size=(2_000, 3))
    means = [mean_of([share(int(hits), size) for hits, size in zip(draw, sizes, strict=True)]) for draw in draws]
    truth = sum(rates) / 3
    assert np.mean([found.low <= truth <= found.high for found in means]) >= 0.95
    assert np.mean([found.high - found.low for found in means]) < 0.6


@pytest.mark.parametrize(
    ("gained", "lost", "p_value"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 5, 1.0), (10, 0, 2 / 1024), (0, 10, 2 / 1024), (8, 2, 2 * 56 / 1024)],
)
def test_the_sign_test_against_coin_tosses_counted_by_hand(gained: int, lost: int, p_value: float) -> None:
    assert sign_test(gained, lost) == pytest.approx(p_value)


@pytest.mark.parametrize(
    ("scores", "rate", "threshold"),
    [
        (list(range(100)), 0.01, 98),  # one may exceed: 99
        (list(range(1000)), 0.001, 998),
        (list(range(50)), 0.01, 49),  # not even one may
        ([5.0] * 90 + [9.0] * 10, 0.05, 9.0),  # ten share the top score: five of them can't be let through
        ([5.0] * 90 + [9.0] * 10, 0.1, 5.0),
        ([], 0.01, -math.inf),
        ([1.0, 2.0], 1.0, -math.inf),
        (list(range(700)), 0.01, 692),  # 0.01 * 700 is a hair below 7 in floating point
    ],
)
def test_the_threshold_lets_no_more_than_the_rate_exceed_it(scores: list[float], rate: float, threshold: float) -> None:
    found = threshold_for(scores, rate)
    assert found == threshold
    assert sum(score > found for score in scores) <= rate * len(scores) + 1e-9


@pytest.mark.parametrize(("values", "middle"), [([], None), ([3.0], 3.0), ([9.0, 1.0], 5.0), ([3.0, 9.0, 1.0], 3.0)])
def test_median(values: list[float], middle: float | None) -> None:
    assert median(values) == middle
