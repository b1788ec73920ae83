"""What an account's prompts are distributed like: random Fourier features of their embeddings, averaged.

The mean of random Fourier features (Rahimi and Recht, "Random features for large-scale kernel machines", 2007) is a
mean embedding of the distribution of prompts under a Gaussian kernel; the squared distance of two of them estimates the
maximum mean discrepancy (Gretton et al., "A kernel two-sample test", JMLR 2012). It streams: one mean an account, 16
bytes, and one mean of the population.

Everything is whole numbers: phases from a table of 256, so that no batch size and no machine changes a bit.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import part

from stillwatch_models.accounts import CONTENT_FEATURES
from stillwatch_models.columns import EMBEDDING

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FEATURES = CONTENT_FEATURES
UNIT = 256
"""Stored means are in 1/256 of a feature's unit, 127 units being 1."""
FULL = 127.0
MOST_TEXTS = 256.0
"""The past counts as at most so many texts: the mean follows an account that changes."""
WIDTH_SHIFT = 9
"""Width of the kernel: 2^9 / 798 = 0.64, between embeddings of length 1 (unrelated ones are 1.4 apart)."""
CIRCLE = 256
PRIOR_TEXTS, PRIOR_DISTANCE = 16.0, 0.3
"""A distance is drawn to this one as if so many texts had shown it."""

_WAVE = np.round(FULL * np.cos(2 * np.pi * np.arange(CIRCLE) / CIRCLE)).astype(np.int32)


def _frequencies() -> NDArray[np.int32]:
    """Frequencies of the features, (FEATURES, EMBEDDING): sums of twelve hashed bytes, nearly Gaussian, SD 256."""
    names = [[f"{row},{column}".encode() for column in range(FEATURES)] for row in range(EMBEDDING)]
    sums = [[sum(hashlib.blake2b(n, digest_size=12).digest()) - 1530 for n in row] for row in names]
    return np.array(sums, np.int32).T.copy()


_FREQUENCY = _frequencies()
_PHASE = (np.arange(FEATURES) * (CIRCLE // FEATURES) + CIRCLE // (2 * FEATURES)).astype(np.int32)


@part
def transform(embedding: NDArray[np.int8], out: Integers) -> None:
    """Write a prompt's features, each in -127 .. 127, to `out`."""
    for feature in range(FEATURES):
        product = np.int32(0)
        for i in range(EMBEDDING):
            product += np.int32(embedding[i]) * _FREQUENCY[feature, i]
        out[feature] = _WAVE[((product >> np.int32(WIDTH_SHIFT)) + _PHASE[feature]) % CIRCLE]


@part
def update(mean: NDArray[np.int16], sums: Integers, count: int, before: float) -> None:
    """Bring a stored mean up to date with `count` more texts with these sums, `before` texts having been seen."""
    weight = count / (min(before, MOST_TEXTS) + count)
    for feature in range(FEATURES):
        moved = mean[feature] + weight * (UNIT * sums[feature] / count - mean[feature])
        mean[feature] = np.int16(np.rint(moved))


def centre(means: NDArray[np.int16]) -> Floats:
    """Mean of accounts' means, one vote an account, in natural units; zeros of nobody. Exact in any order."""
    if not len(means):
        return np.zeros(FEATURES)
    return np.asarray(means.sum(axis=0, dtype=np.int64) / (len(means) * UNIT * FULL))


def distances(means: NDArray[np.int16], texts: Floats, middle: Floats) -> Floats:
    """Squared distance of each account's distribution of prompts from the population's, about 0 to 1.

    Unbiased: an account's few texts scatter around its mean, which alone would put it far away.
    """
    own = means / (UNIT * FULL)
    seen = np.minimum(texts, MOST_TEXTS)
    apart = ((own - middle) ** 2).sum(axis=1)
    scatter = np.maximum(FEATURES / 2 - (own**2).sum(axis=1), 0.0) / np.maximum(seen - 1.0, 1.0)
    unbiased = 2.0 / FEATURES * (apart - scatter)
    return np.asarray((seen * unbiased + PRIOR_TEXTS * PRIOR_DISTANCE) / (seen + PRIOR_TEXTS))
