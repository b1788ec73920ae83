"""The decision: an e-process on harvest events, and how long it must have been going on.

Null hypothesis: each request of an innocent account is a harvest event with probability at most p0, whatever came
before. Alternative: with a probability p between p0 and 1. With y harvest events among n,

    E = mean over p of (p / p0)^y * ((1 - p) / (1 - p0))^(n - y),   p = p0 + (1 - p0) * (0.15, 0.3, 0.45, 0.6, 0.75,
    0.87)

is a mixture of likelihood ratios, hence a test martingale (Robbins 1970; Ramdas et al., "Game-theoretic statistics and
safe anytime-valid inference", 2023): by Ville's inequality it ever exceeds exp(b) with probability at most exp(-b). The
evidence is ln of the mean of E for harvest events and E for informal harvest events, each with its own p0.

p0 follows the population: the 85 % quantile of y / n over accounts, plus 0.10, within bounds. It is one number from one
vote an account, and does not move while fewer than one account in seven harvests.

Innocent accounts do break the null for a while (a new evaluation set, a busy morning). What holds the budget then is
persistence: harvest events in at least eight different blocks of event time (hours), or very many of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

ALTERNATIVES = (0.15, 0.3, 0.45, 0.6, 0.75, 0.87)
"""Positions of the alternatives between p0 and 1."""
QUANTILE, MARGIN = 0.85, 0.10
STRICT_BOUNDS = (0.25, 0.6)
"""Least and greatest p0 of harvest events."""
LOOSE_BOUNDS = (0.5, 0.75)
"""Least and greatest p0 of informal harvest events."""
KNOWN_EVENTS = 10
"""Events of an account whose share counts in p0."""
KNOWN_ACCOUNTS = 50
FULL_BLOCKS, FULL_EVENTS = 6.0, 1_000.0
"""Activity at which suspicion counts in full when accounts are ranked."""
MOST_NATS, LEAST_NATS = 40.0, -20.0
CAP_NATS = 5.0
"""Most that one detector may add to the joint score."""


class Rates(msgspec.Struct, frozen=True):
    """p0 of harvest events and of informal ones."""

    strict: float = STRICT_BOUNDS[0]
    loose: float = LOOSE_BOUNDS[0]


def rates_of(harvest: Counts, informal: Counts, events: Counts) -> Rates:
    """The rates that the population allows; the least ones while it is small."""
    known = events >= KNOWN_EVENTS
    if known.sum() < KNOWN_ACCOUNTS:
        return Rates()
    return Rates(
        strict=_bounded(harvest[known] / events[known], STRICT_BOUNDS),
        loose=_bounded(informal[known] / events[known], LOOSE_BOUNDS),
    )


def _bounded(shares: Floats, bounds: tuple[float, float]) -> float:
    return min(bounds[1], max(bounds[0], float(np.quantile(shares, QUANTILE)) + MARGIN))


def harvest_nats(harvest: Counts, informal: Counts, events: Counts, rates: Rates) -> Floats:
    """Evidence in nats that an account harvests; anytime-valid."""
    strict = _log_e(harvest, events, rates.strict)
    loose = _log_e(informal, events, rates.loose)
    return np.asarray(np.logaddexp(strict, loose) - math.log(2.0))


def _log_e(successes: Counts, trials: Counts, p0: float) -> Floats:
    failures = trials - successes
    alternatives = [p0 + (1.0 - p0) * position for position in ALTERNATIVES]
    terms = [successes * math.log(p / p0) + failures * math.log((1.0 - p) / (1.0 - p0)) for p in alternatives]
    total = terms[0]
    for term in terms[1:]:
        total = np.logaddexp(total, term)
    return np.asarray(total - math.log(len(ALTERNATIVES)))


def threshold(budget_per_10k_account_days: float) -> float:
    """Bound in nats: an innocent account passes it with at most the probability that the budget grants for a day."""
    return -math.log(min(0.5, budget_per_10k_account_days / 10_000.0))


def thresholds(medium: float, high: float, critical: float) -> tuple[float, float, float]:
    """Bounds in nats of the tiers medium, high and critical by their budgets; none lies below the one before it."""
    bounds = [threshold(budget) for budget in (medium, high, critical)]
    return bounds[0], max(bounds[:2]), max(bounds)


def suspicion(nats: Floats, blocks: Counts, harvest: Counts) -> Floats:
    """What accounts are ranked by: bounded evidence, discounted while it rests on little time and few events."""
    bounded = np.clip(nats, LEAST_NATS, MOST_NATS)
    weight = np.minimum(1.0, np.maximum(blocks / FULL_BLOCKS, harvest / FULL_EVENTS))
    return np.asarray(np.where(bounded > 0, bounded * weight, bounded))


def joint_score(p_values: Floats, weights: Sequence[float]) -> Floats:
    """Weighted sum of capped -ln p, shape (n,); added detector by detector, so that batches do not matter."""
    nats = np.minimum(-np.log(p_values), CAP_NATS)
    total = np.zeros(len(p_values))
    for column, weight in enumerate(weights):
        total += weight * nats[:, column]
    return total
