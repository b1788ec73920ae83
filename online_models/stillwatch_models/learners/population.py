"""The population: what benign-looking accounts score, frozen for an epoch, against which everyone is measured.

One row an account, whatever its traffic, so that nobody can buy weight in the baseline with volume. Accounts under
suspicion are left out. Like is compared with like, and what is alike is found without labels: accounts of similar
activity (by the logarithm of the events seen, because a variety of 20 prompts means one thing in 25 requests and
another in 2,500) and of the same kind of traffic (single requests or conversations, with or without a program's set-up,
short or long answers). A stratum with too few accounts borrows those of the same activity, and those the whole
population.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Sample = NDArray[np.float32]

STRATUM_EDGES = np.array([32, 128, 512])
"""Events at which the next stratum of activity begins."""
ACTIVITIES = len(STRATUM_EDGES) + 1
KINDS = 8
STRATA = KINDS * ACTIVITIES
"""Numbered kind by kind: stratum = kind * ACTIVITIES + activity."""
SAMPLES = 1 + ACTIVITIES + STRATA
ALONE, SET_UP, LONG = 0.8, 0.5, 8.0
"""Where kinds part: share of requests that open a conversation; share with a system prompt or tools; doublings of the
usual answer in tokens."""
SAMPLE = 2_048
"""Accounts kept of everyone, and of each activity."""
SAMPLE_OF_KIND = 512


def kind_of(one_shot: Floats, system: Floats, tools: Floats, log_output: Floats) -> Indices:
    """Kind of traffic, 0 to 7: three yes-or-no questions."""
    set_up = np.maximum(system, tools) >= SET_UP
    return np.asarray(4 * (one_shot >= ALONE) + 2 * set_up + (log_output >= LONG)).astype(np.intp)


def stratum_of(events: NDArray[np.int64], kind: Indices | int = 0) -> Indices:
    """Stratum of each account by its events so far and its kind of traffic."""
    return np.asarray(np.searchsorted(STRATUM_EDGES, events, side="right") + ACTIVITIES * np.asarray(kind))


class Population:
    """Sorted scores by stratum, one column a score; a p-value is the share of accounts at least as extreme."""

    def __init__(self, columns: int, minimum: int) -> None:
        self.columns = columns
        self.minimum = minimum
        self._samples: list[Sample] = [np.zeros((0, columns), np.float32)] * SAMPLES
        """Of everyone, of each activity, of each stratum."""
        self._index()

    def _index(self) -> None:
        """One sorted array a column over all samples: a look-up costs the same however many strata there are."""
        sizes = np.array([len(sample) for sample in self._samples])
        self._start, self._size = np.cumsum(sizes) - sizes, sizes
        own, activity = sizes[1 + ACTIVITIES :], np.arange(STRATA) % ACTIVITIES
        borrowed = np.where(sizes[1 + activity] >= self.minimum, 1 + activity, 0)
        self._source = np.where(own >= self.minimum, 1 + ACTIVITIES + np.arange(STRATA), borrowed)
        """Sample that accounts of each stratum are measured against."""
        owner = np.repeat(np.arange(SAMPLES), sizes)
        self._keys = np.ascontiguousarray(_keys(np.concatenate(self._samples), owner[:, None]).T)

    @property
    def ready(self) -> bool:
        """Enough accounts to say anything."""
        return self.size >= self.minimum

    @property
    def size(self) -> int:
        """Accounts in the sample of everyone."""
        return len(self._samples[0])

    def rebuild(self, scores: NDArray[np.float32], strata: Indices) -> None:
        """Freeze a new reference. `scores` (n, columns), one row an account; `strata` what each account is like."""
        of_activity = [_sample(scores[strata % ACTIVITIES == a], SAMPLE) for a in range(ACTIVITIES)]
        of_stratum = [_sample(scores[strata == s], SAMPLE_OF_KIND) for s in range(STRATA)]
        self._samples = [_sample(scores, SAMPLE), *of_activity, *of_stratum]
        self._index()

    def reference(self, stratum: int) -> Sample:
        """The sorted sample that accounts of a stratum are measured against, (m, columns)."""
        return self._samples[int(self._source[stratum])]

    def p_values(self, scores: Floats, strata: Indices) -> Floats:
        """Share of accounts that score at least as high, (n, columns); 1 while the population is too small."""
        if not self.ready:
            return np.ones(scores.shape)
        source = self._source[strata]
        wanted = _keys(scores.astype(np.float32), source[:, None])
        start, size = self._start[source], self._size[source]
        below = [np.searchsorted(self._keys[column], wanted[:, column]) - start for column in range(self.columns)]
        return np.column_stack([(1 + size - found) / (1 + size) for found in below])

    def dump(self) -> bytes:
        """Sample sizes (u4) and samples (f4) as bytes."""
        sizes = self._size.astype("<u4").tobytes()
        return sizes + b"".join(np.ascontiguousarray(sample, "<f4").tobytes() for sample in self._samples)

    def load(self, data: bytes) -> None:
        """Take over a dump."""
        sizes = np.frombuffer(data, "<u4", SAMPLES).tolist()
        flat = np.frombuffer(data, "<f4", offset=4 * SAMPLES).astype(np.float32)
        ends = np.cumsum([size * self.columns for size in sizes])[:-1]
        self._samples = [part.reshape(-1, self.columns) for part in np.split(flat, ends)]
        self._index()

    def distance(self, other: Population) -> Floats:
        """How far two populations are apart, (columns,): Kolmogorov and Smirnov's distance of everyone's scores."""
        out = np.zeros(self.columns)
        if not self.ready or not other.ready:
            return out
        for column in range(self.columns):
            mine, theirs = self._samples[0][:, column], other._samples[0][:, column]
            at = np.concatenate([mine, theirs])
            apart = _below(mine, at) - _below(theirs, at)
            out[column] = np.abs(apart).max()
        return out


def _keys(scores: Sample, source: Indices) -> NDArray[np.uint64]:
    """Whole numbers that sort by sample first and score second."""
    bits = (scores + np.float32(0)).view(np.uint32)  # adding zero: -0.0 is 0.0
    sortable = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
    return np.asarray(sortable | source.astype(np.uint64) << np.uint64(32))


def _below(sample: NDArray[np.float32], at: NDArray[np.float32]) -> Floats:
    """Share of a sorted sample that is at most so great."""
    return np.asarray(np.searchsorted(sample, at, side="right") / len(sample))


def _sample(scores: Sample, most: int) -> Sample:
    """Sorted columns; of a large population evenly spaced ranks, the extremes included."""
    ordered = np.sort(scores, axis=0)
    if len(ordered) <= most:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, most).round().astype(np.intp)]
