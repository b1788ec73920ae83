"""From token hashes to vectors: MinHash and embedding of many texts at once, in integers.

Everything is exact integer arithmetic up to the last rounding, so a text gets the same bytes alone or in a batch.
Features are the distinct words and the pairs of neighbouring words (the first is paired with a start mark).

- MinHash: for i in 0..15, the minimum over the pairs of the upper 32 bits of a_i * h + b_i (mod 2^64), a_i odd.
  The share of equal places estimates the Jaccard similarity of two texts' sets of pairs, with standard error <= 0.125.
- Embedding: the sum over features of weight * s, s the 32 signs given by the feature's hash, scaled to length 127.
  Weight of a word: sqrt(times it occurs), for function words a third of it; of a pair: a half. Inner products estimate
  the cosine of the two bags, with standard error about 1/sqrt(32).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from stillwatch_schemas.sketch.hashing import FUNCTION, TOKEN_BITS, subkey

MINHASHES = 16
DIMENSIONS = 32
SCALE = 127
"""Length of the embedding before rounding to signed bytes."""

_UNIT = 1_024
"""Fixed-point one for weights: 32 dimensions x 5,000 features stay far below 2^31."""

U64 = npt.NDArray[np.uint64]
_SHIFT_RANK, _SHIFT_HALF = np.uint64(TOKEN_BITS), np.uint64(32)


class Bags:
    """The token values of many texts end to end; texts without tokens are left out by the caller."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.lengths: list[int] = []
        self.distinct: list[int] = []
        self.counts: list[int] = []
        self.sizes: list[int] = []

    def add(self, values: list[int], bag: Counter[int]) -> None:
        """Append a text: its token values in order, and how often each occurs."""
        self.values += values
        self.lengths.append(len(values))
        self.distinct += bag
        self.counts += bag.values()
        self.sizes.append(len(bag))


class Projector:
    """MinHash and embedding under one key."""

    def __init__(self, key: bytes) -> None:
        words = np.frombuffer(_stream(subkey(key, b"projection"), 2 * MINHASHES + 4), dtype="<u8").astype(np.uint64)
        odd = words | np.uint64(1)
        self._a, self._b = odd[:MINHASHES, None], words[MINHASHES : 2 * MINHASHES, None]
        self._left, self._right, self._word = odd[-4:-1]
        self._start = words[-1]
        self._weights = np.full(16, _UNIT, dtype=np.int32)
        self._weights[FUNCTION] = _UNIT // 3

    def project(self, bags: Bags) -> Iterable[tuple[tuple[int, ...], bytes]]:
        """MinHash and embedding of each text; there must be at least one."""
        pairs, starts = self._pairs(bags.values, bags.lengths)
        return zip(self._minhash(pairs, starts), self._embed(pairs, starts, bags), strict=True)

    def _pairs(self, values: list[int], lengths: list[int]) -> tuple[U64, npt.NDArray[np.intp]]:
        here = np.array(values, dtype=np.uint64)
        starts = _starts(lengths)
        before = np.empty_like(here)
        before[1:] = here[:-1]
        before[starts] = self._start
        pairs = here * self._right
        pairs += before * self._left
        pairs ^= pairs >> _SHIFT_HALF
        return pairs, starts

    def _minhash(self, pairs: U64, starts: npt.NDArray[np.intp]) -> Iterable[tuple[int, ...]]:
        values = self._a * pairs
        values += self._b
        values >>= _SHIFT_HALF
        return map(tuple, np.minimum.reduceat(values, starts, axis=1).T.tolist())

    def _embed(self, pairs: U64, starts: npt.NDArray[np.intp], bags: Bags) -> list[bytes]:
        words = np.array(bags.distinct, dtype=np.uint64)
        weights = self._weights[words >> _SHIFT_RANK] * np.sqrt(np.array(bags.counts))
        sums = np.add.reduceat(
            _signs(words * self._word) * np.rint(weights).astype(np.int32)[:, None], _starts(bags.sizes)
        )
        sums += np.add.reduceat(_signs(pairs * self._word), starts) * (_UNIT // 2)
        lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums))
        scaled = np.rint(sums * (SCALE / np.maximum(lengths, 1.0))[:, None]).astype(np.int8)
        return [row.tobytes() for row in scaled]


def _signs(hashes: U64) -> npt.NDArray[np.int64]:
    """The upper 32 bits of each hash as a row of 32 signs."""
    upper = (hashes >> _SHIFT_HALF).astype("<u4")
    bits = np.unpackbits(upper.view(np.uint8).reshape(-1, 4), axis=1)
    return bits.astype(np.int64) * np.int64(2) - np.int64(1)


def _starts(lengths: list[int]) -> npt.NDArray[np.intp]:
    sizes = np.array(lengths, dtype=np.intp)
    return np.cumsum(sizes) - sizes


def _stream(key: bytes, words: int) -> bytes:
    """`words` times eight bytes drawn from a key."""
    return hashlib.shake_256(key).digest(8 * words)
