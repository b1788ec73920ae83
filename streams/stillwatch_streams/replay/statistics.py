"""Shares with honest intervals, and thresholds that ties cannot flatter."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from scipy.special import betaincinv

CONFIDENCE = 0.95


class Share(msgspec.Struct, frozen=True):
    """`hits` of `total` with the exact (Clopper-Pearson) 95 % interval; of nothing, 0 with the interval 0 to 1."""

    hits: int
    total: int
    rate: float
    low: float
    high: float


def share(hits: int, total: int) -> Share:
    """The share and its interval."""
    if total == 0:
        return Share(0, 0, 0.0, 0.0, 1.0)
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, total - hits + 1, tail))
    high = 1.0 if hits == total else float(betaincinv(hits + 1, total - hits, 1 - tail))
    return Share(hits, total, hits / total, low, high)


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
