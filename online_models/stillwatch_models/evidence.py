"""From scores to a decision: joint score, tail probability, and evidence that accumulates by a sequential test.

1. Each detector's score becomes a p-value against the population (`learners.population`).
2. Joint score: weighted sum of -ln p, each capped so that no signal decides alone.
3. Tail probability of the joint score: an exponential tail fitted between the population's median and 90th percentile
   and extrapolated (peaks over threshold, Pickands 1975, with shape 0). The fit does not look at the top tenth, so a
   campaign that is already inside the population does not hide itself.
4. Evidence: a CUSUM (Page 1954) over blocks of event time, W = max(0, W + x - k) with x = -ln p of the block's last
   pane. With x exponential (the null), P(W passes h from one block on) <= exp(-theta h) where (1 - theta) exp(theta
   k) = 1 (Lundberg); h follows from the false-positive budget, the number a user sets. What is assumed: an innocent
   account's blocks are no more extreme than the population's, and independent enough; the budget is checked on benign
   streams.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CAP_NATS = 5.0
"""Most that one detector may add to the joint score."""
DRIFT_NATS = 3.0
"""k: what a block of an innocent account is worth at most on average (1), and some."""
THETA = 0.9405
"""Root of (1 - theta) * exp(theta * k) = 1 for k = 3."""
MIN_SCALE = 0.1
"""Least slope of the fitted tail, in nats of joint score: a population without spread proves nothing."""
SECONDS_PER_DAY = 86_400.0


def joint_score(p_values: Floats, weights: Floats) -> Floats:
    """Weighted sum of capped evidence, shape (n,); added detector by detector, so that batches do not matter."""
    nats = np.minimum(-np.log(p_values), CAP_NATS)
    total = np.zeros(len(p_values))
    for column, weight in enumerate(weights.tolist()):
        total += weight * nats[:, column]
    return total


def tail_nats(joint: Floats, reference: NDArray[np.float32]) -> Floats:
    """-ln of the tail probability of each joint score against the sorted joint scores of the population."""
    if not len(reference):
        return np.zeros(len(joint))
    middle, high = (float(reference[int(q * (len(reference) - 1))]) for q in (0.5, 0.9))
    scale = max((high - middle) / math.log(5.0), MIN_SCALE)
    return np.maximum(0.0, math.log(2.0) + (joint - middle) / scale)


def threshold(budget_per_10k_account_days: float, block_seconds: float) -> float:
    """h: evidence in nats that an innocent account passes as rarely as the budget says."""
    per_block = budget_per_10k_account_days / 10_000.0 * block_seconds / SECONDS_PER_DAY
    return -math.log(per_block) / THETA


def accumulate(evidence: Floats, pending: Floats) -> Floats:
    """Evidence with the block under way counted in."""
    return np.maximum(0.0, evidence + pending - DRIFT_NATS)
