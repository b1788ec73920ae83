"""From token hashes to vectors: MinHash and embedding of many texts at once.

Sums are of integers up to the last rounding (the embedding's in float32 below 2^24, where it is exact in any order), so
a text gets the same bytes alone or in a batch, on any processor. Features are the words and the pairs of neighbouring
words (the first is paired with a start mark).

- MinHash: for i in 0..15, the minimum over the pairs of the upper 32 bits of a_i * h + b_i (mod 2^64), a_i odd.
  The share of equal places estimates the Jaccard similarity of two texts' sets of pairs, with standard error <= 0.125.
- Embedding: the sum over features of weight * s, s the 32 signs given by the feature's hash, scaled to length 127.
  Weight of a word: sqrt(times it occurs), for function words a third of it; of a pair: a half each time. Inner products
  estimate the cosine of the two bags, with standard error about 1/sqrt(32).
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter

import numpy as np
import numpy.typing as npt

from stillwatch_schemas.sketch.hashing import TOKEN_BITS, subkey
from stillwatch_schemas.sketch.normalise import READ_CHARS

MINHASHES = 16
DIMENSIONS = 32
SCALE = 127
"""Length of the embedding before rounding to signed bytes."""

_UNIT = 1_024
"""Fixed-point one of the weights: 4,501 tokens sum to less than 2^23."""

_MOST = READ_CHARS + 2
U64 = npt.NDArray[np.uint64]
F32 = npt.NDArray[np.float32]
_HALF = np.uint64(32)
_ONE_HALF = np.float32(0.5)
_LOW = np.uint64(0xFFFFFFFF)
_FIRST_RANKED = np.uint64(1 << TOKEN_BITS)


class Bags:
    """The token values of many texts end to end; texts without tokens are left out by the caller."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.repeats: list[int] = []
        self.lengths: list[int] = []

    def add(self, values: list[int], bag: Counter[int]) -> None:
        """Append a text: its token values in order, and how often each occurs."""
        self.values += values
        self.repeats += map(bag.__getitem__, values)
        self.lengths.append(len(values))


class Projector:
    """MinHash and embedding under one key."""

    def __init__(self, key: bytes) -> None:
        stream = hashlib.shake_256(subkey(key, b"projection")).digest(8 * (2 * MINHASHES + 3))
        words = np.frombuffer(stream, dtype="<u8").astype(np.uint64)
        odd = words | np.uint64(1)
        self._a, self._b = odd[:MINHASHES, None], words[MINHASHES : 2 * MINHASHES, None]
        self._left, self._right, self._start = odd[-3:]
        self._word_weights = _word_weights()

    def project(self, bags: Bags) -> list[tuple[tuple[int, ...], bytes]]:
        """MinHash and embedding of each text; there must be at least one."""
        words = np.array(bags.values, dtype=np.uint64)
        ends = list(itertools.accumulate(bags.lengths))
        starts = [0, *ends[:-1]]
        pairs = self._pairs(words, starts)
        return list(zip(self._minhash(pairs, starts), self._embed(words, pairs, bags, ends), strict=True))

    def _pairs(self, words: U64, starts: list[int]) -> U64:
        before = np.empty_like(words)
        before[1:] = words[:-1]
        before[starts] = self._start
        before *= self._left
        before += words * self._right
        before ^= before >> _HALF
        return before

    def _minhash(self, pairs: U64, starts: list[int]) -> list[tuple[int, ...]]:
        values = self._a * pairs
        values += self._b
        least = np.minimum.reduceat(values, starts, axis=1)
        least >>= _HALF
        return list(map(tuple, least.T.tolist()))

    def _embed(self, words: U64, pairs: U64, bags: Bags, ends: list[int]) -> list[bytes]:
        signs = _signs(words & _LOW | pairs << _HALF)
        weights = np.full((2, len(words)), _UNIT // 2, dtype=np.float32)
        weights[0] = self._word_weights[np.array(bags.repeats) + (words < _FIRST_RANKED) * _MOST]
        rows, start = [], 0
        for end in ends:
            both = weights[:, start:end] @ signs[start:end]
            rows.append(both[0, :DIMENSIONS] + both[1, DIMENSIONS:])
            start = end
        return _pack(np.array(rows, dtype=np.float64))


def _pack(sums: npt.NDArray[np.float64]) -> list[bytes]:
    """Each row scaled to length 127 and rounded to signed bytes."""
    lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums))
    sums *= (SCALE / np.maximum(lengths, 1.0))[:, None]
    packed = np.rint(sums).astype(np.int8).tobytes()
    return [packed[at : at + DIMENSIONS] for at in range(0, len(packed), DIMENSIONS)]


def _word_weights() -> F32:
    """Weight of a word by how often it occurs; from `_MOST` on the weights of function words."""
    words = np.rint(_UNIT / np.sqrt(np.maximum(np.arange(_MOST), 1)))
    return np.concatenate([words, np.rint(words / 3)]).astype(np.float32)


def _signs(hashes: U64) -> F32:
    """The 64 bits of each hash as a row of signs, plus or minus one half."""
    bits = np.unpackbits(hashes.astype("<u8", copy=False).view(np.uint8)).reshape(-1, 64)
    signs: F32 = np.subtract(bits, _ONE_HALF, dtype=np.float32)
    return signs
