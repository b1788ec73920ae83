"""The population: what benign-looking accounts score, frozen for an epoch, against which everyone is measured.

One row an account, whatever its traffic, so that nobody can buy weight in the baseline with volume. Accounts under
suspicion are left out. Accounts are compared with accounts of similar activity (strata by the logarithm of the events
seen), because a variety of 20 prompts means one thing in 25 requests and another in 2,500; a stratum with too few
accounts borrows the whole population.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRATA = 4
STRATUM_EDGES = np.array([32, 128, 512])
"""Events at which the next stratum begins."""
SAMPLE = 2_048
"""Accounts kept of a stratum."""


def stratum_of(events: NDArray[np.int64]) -> NDArray[np.intp]:
    """Activity stratum of each account by its events so far."""
    return np.searchsorted(STRATUM_EDGES, events, side="right")


class Population:
    """Sorted scores by stratum, one column a score; a p-value is the share of accounts at least as extreme."""

    def __init__(self, columns: int, minimum: int) -> None:
        self.columns = columns
        self.minimum = minimum
        self._everyone = np.zeros((0, columns), np.float32)
        self._strata = [np.zeros((0, columns), np.float32)] * STRATA

    @property
    def ready(self) -> bool:
        """Enough accounts to say anything."""
        return len(self._everyone) >= self.minimum

    @property
    def size(self) -> int:
        """Accounts in the sample of everyone."""
        return len(self._everyone)

    def rebuild(self, scores: NDArray[np.float32], events: NDArray[np.int64]) -> None:
        """Freeze a new reference. `scores` (n, columns), one row an account; `events` its activity so far."""
        strata = stratum_of(events)
        self._everyone = _sample(scores)
        self._strata = [_sample(scores[strata == s]) for s in range(STRATA)]

    def reference(self, stratum: int) -> NDArray[np.float32]:
        """The sorted sample that accounts of a stratum are measured against, (m, columns)."""
        own = self._strata[stratum]
        return own if len(own) >= self.minimum else self._everyone

    def p_values(self, scores: Floats, strata: NDArray[np.intp]) -> Floats:
        """Share of accounts that score at least as high, (n, columns); 1 while the population is too small."""
        out = np.ones(scores.shape)
        if not self.ready:
            return out
        for stratum in np.unique(strata).tolist():
            chosen = np.flatnonzero(strata == stratum)
            reference = self.reference(stratum)
            for column in range(scores.shape[1]):
                sample = reference[:, column]
                below = np.searchsorted(sample, scores[chosen, column].astype(np.float32), side="left")
                out[chosen, column] = (1 + len(sample) - below) / (1 + len(sample))
        return out

    def dump(self) -> bytes:
        """Sample sizes (u4) and samples (f4) as bytes."""
        parts = [self._everyone, *self._strata]
        sizes = np.array([len(part) for part in parts], "<u4").tobytes()
        return sizes + b"".join(np.ascontiguousarray(part, "<f4").tobytes() for part in parts)

    def load(self, data: bytes) -> None:
        """Take over a dump."""
        sizes = np.frombuffer(data, "<u4", 1 + STRATA).tolist()
        flat = np.frombuffer(data, "<f4", offset=4 * (1 + STRATA)).astype(np.float32)
        ends = np.cumsum([size * self.columns for size in sizes])[:-1]
        parts = [part.reshape(-1, self.columns) for part in np.split(flat, ends)]
        self._everyone, self._strata = parts[0], parts[1:]


def _sample(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sorted columns; of a large population evenly spaced ranks, the extremes included."""
    ordered = np.sort(scores, axis=0)
    if len(ordered) <= SAMPLE:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, SAMPLE).round().astype(np.intp)]
