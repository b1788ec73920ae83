"""Shares with honest intervals, thresholds that ties cannot flatter, and a test for what two runs disagree about."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from scipy.special import bdtr, betaincinv

CONFIDENCE = 0.95


class Share(msgspec.Struct, frozen=True):
    """`hits` of `total` with the exact (Clopper-Pearson) 95 % interval; of nothing, 0 with the interval 0 to 1."""

    hits: int
    total: int
    rate: float
    low: float
    high: float


class Mean(msgspec.Struct, frozen=True):
    """The mean of several shares, with an interval that holds with at least 95 %."""

    rate: float
    low: float
    high: float


def share(hits: int, total: int, confidence: float = CONFIDENCE) -> Share:
    """The share and its interval."""
    if total == 0:
        return Share(0, 0, 0.0, 0.0, 1.0)
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, total - hits + 1, tail))
    high = 1.0 if hits == total else float(betaincinv(hits + 1, total - hits, 1 - tail))
    return Share(hits, total, hits / total, low, high)


def mean_of(shares: Sequence[Share]) -> Mean:
    """The mean of shares that are taken of different accounts; of nothing, 0 with the interval 0 to 1.

    A mean of proportions has no Clopper-Pearson interval of its own. Each share gets one at 1 - 0.05 / k, so that all k
    hold together with at least 95 % (Bonferroni), and with them the mean of their ends.
    """
    if not shares:
        return Mean(0.0, 0.0, 1.0)
    count = len(shares)
    strict = [share(one.hits, one.total, 1 - (1 - CONFIDENCE) / count) for one in shares]
    return Mean(
        sum(one.rate for one in shares) / count,
        sum(one.low for one in strict) / count,
        sum(one.high for one in strict) / count,
    )


def sign_test(gained: int, lost: int) -> float:
    """Two-sided exact p-value of McNemar's test: gains and losses this uneven, were both equally likely."""
    total = gained + lost
    return min(1.0, 2 * float(bdtr(min(gained, lost), total, 0.5))) if total else 1.0


def threshold_for(benign_scores: Sequence[float], false_positive_rate: float) -> float:
    """The score that an account must EXCEED so that at most this rate of benign accounts does.

    Ties count against us: of benign accounts with one and the same score either all exceed it or none. Minus infinity
    where the rate allows every benign account.
    """
    allowed = math.floor(false_positive_rate * len(benign_scores) + 1e-9)
    if allowed >= len(benign_scores):
        return -math.inf
    return sorted(benign_scores, reverse=True)[allowed]


def median(values: Sequence[float]) -> float | None:
    """The middle value, or the mean of the two; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
