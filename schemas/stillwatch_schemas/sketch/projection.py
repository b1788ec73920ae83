"""From token hashes to vectors: MinHash and embedding of many texts at once.

Sums are of integers up to the last rounding, so a text gets the same bytes alone or in a batch, on any processor.
Features are the distinct words and every pair of neighbouring words; a mark stands before the first and after the last.

- MinHash: for i in 0..15, the minimum over the pairs of the upper 32 bits of a_i * h + b_i (mod 2^64), a_i odd.
  The share of equal places estimates the Jaccard similarity of two texts' sets of pairs, with standard error <= 0.125.
- Embedding: the sum over features of weight * s, s the 32 signs given by the feature's hash, scaled to length 127.
  Weight of a word: 1, a third for function words, however often it occurs; of a pair: a half each time. Inner products
  estimate the cosine of the two bags, with standard error about 1/sqrt(32).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from stillwatch_schemas.sketch.hashing import FUNCTION, TOKEN_BITS, subkey

MINHASHES = 16
DIMENSIONS = 32
SCALE = 127
"""Length of the embedding before rounding to signed bytes."""

U64 = npt.NDArray[np.uint64]
_HALF = np.uint64(32)
_RANK = np.uint64(TOKEN_BITS)
_FUNCTION_WORDS_END = (FUNCTION + 1) << TOKEN_BITS
_LANES = DIMENSIONS // 4
# In sixths.
_PAIR, _FUNCTION_WORD, _WORD = 3, 2, 6
_WEIGHT_OF_RANK = np.array([[_FUNCTION_WORD], *[[_WORD]] * 15], dtype=np.uint64)

Vectors = tuple[tuple[int, ...], bytes]
"""MinHash and embedding of a text."""


class Bags:
    """The token values of many texts end to end; texts without tokens are left out by the caller."""

    def __init__(self, mark: int) -> None:
        self._mark = mark
        self.stream: list[int] = [mark]
        """All tokens in order, a mark between texts."""
        self.pair_starts: list[int] = []
        """Where each text's first pair stands in `stream`."""
        self.words: list[int] = []
        """The distinct tokens of each text."""
        self.word_starts: list[int] = []
        self.weights: list[list[float]] = []
        """Sum of the weights of each text's features, in sixths; a column."""

    def add(self, values: list[int], distinct: list[int]) -> None:
        """Append a text: its token values in order, and the distinct ones ascending."""
        function_words = bisect_left(distinct, _FUNCTION_WORDS_END)
        content_words = len(distinct) - function_words
        self.weights.append([_PAIR * (len(values) + 1.0) + _FUNCTION_WORD * function_words + _WORD * content_words])
        self.pair_starts.append(len(self.stream) - 1)
        self.word_starts.append(len(self.words))
        self.stream += values
        self.stream.append(self._mark)
        self.words += distinct


class Projector:
    """MinHash and embedding under one key."""

    def __init__(self, key: bytes) -> None:
        stream = hashlib.shake_256(subkey(key, b"projection")).digest(8 * (2 * MINHASHES + 3))
        words = np.frombuffer(stream, dtype="<u8").astype(np.uint64)
        odd = words | np.uint64(1)
        self._a, self._b = odd[:MINHASHES, None], words[MINHASHES : 2 * MINHASHES, None]
        self._left, self._right, mark = odd[-3:]
        self._mark = int(mark)
        self._counters = _counters()

    def bags(self) -> Bags:
        """Room for the next texts."""
        return Bags(self._mark)

    def project(self, bags: Bags) -> list[Vectors]:
        """MinHash and embedding of each text; there must be at least one."""
        values = np.array(bags.stream + bags.words, dtype=np.uint64)
        pairs_end = len(bags.stream) - 1
        features = values[:-1] * self._left
        features += values[1:] * self._right
        features ^= features >> _HALF
        minhashes = self._minhash(features[:pairs_end], bags.pair_starts)
        words = values[pairs_end + 1 :]
        features[pairs_end:] = words
        return list(zip(minhashes, self._embed(features, words, bags), strict=True))

    def _minhash(self, pairs: U64, starts: list[int]) -> list[tuple[int, ...]]:
        values = self._a * pairs
        values += self._b
        least = np.minimum.reduceat(values, starts, axis=1)
        least >>= _HALF
        return list(map(tuple, least.T.tolist()))

    def _embed(self, features: U64, words: U64, bags: Bags) -> list[bytes]:
        """For each of the lower 32 bits: twice the weight of the hashes that have it set, less the weight of all.

        `features` are the pairs, then the words. No counter overflows: a text has at most 4,501 pairs and 4,500 words.
        """
        counters = self._counters.take(features.astype("<u4").view(np.uint8), axis=0).reshape(-1, _LANES)
        pairs_end = len(features) - len(words)
        counters[pairs_end:] *= _WEIGHT_OF_RANK.take(words >> _RANK, axis=0)
        starts = bags.pair_starts + [pairs_end + start for start in bags.word_starts]
        counts = np.add.reduceat(counters, starts)
        weighted = counts[: len(bags.weights)] * np.uint64(_PAIR)
        weighted += counts[len(bags.weights) :]
        sums = weighted.astype("<u8", copy=False).view("<u2") * 2.0
        sums -= np.array(bags.weights, dtype=np.float64)
        return _pack(sums)


def _counters() -> U64:
    """For each byte its eight bits as counters of 16 bits, four to an integer, so that one addition counts four."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return bits.astype("<u2").view("<u8").astype(np.uint64)


def _pack(sums: npt.NDArray[np.float64]) -> list[bytes]:
    """Each row scaled to length 127 and rounded to signed bytes."""
    lengths = np.sqrt(np.vecdot(sums, sums))
    sums *= (SCALE / np.maximum(lengths, 1.0))[:, None]
    packed = np.rint(sums, sums).astype(np.int8).tobytes()
    return [packed[at : at + DIMENSIONS] for at in range(0, len(packed), DIMENSIONS)]
