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

from stillwatch_schemas.sketch.hashing import TOKEN_BITS, subkey

MINHASHES = 16
DIMENSIONS = 32
SCALE = 127
"""Length of the embedding before rounding to signed bytes."""

U64 = npt.NDArray[np.uint64]
_HALF = np.uint64(32)
_FUNCTION_WORDS_END = 1 << TOKEN_BITS
_FIRST_RANKED = np.uint64(_FUNCTION_WORDS_END)
_LANES = DIMENSIONS // 4
_ONE, _TWO = np.uint64(1), np.uint64(2)
# Weights in sixths: a pair 3; a word 2 * 3, a function word 2 * 1.
_PAIR, _WORD = 3, 2


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
        self.weights: list[int] = []
        """Sum of the weights of each text's features, in sixths."""

    def add(self, values: list[int], distinct: list[int]) -> None:
        """Append a text: its token values in order, and the distinct ones ascending."""
        function_words = bisect_left(distinct, _FUNCTION_WORDS_END)
        self.weights.append(_PAIR * (len(values) + 1) + _WORD * (3 * len(distinct) - 2 * function_words))
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

    def project(self, bags: Bags) -> list[tuple[tuple[int, ...], bytes]]:
        """MinHash and embedding of each text; there must be at least one."""
        values = np.array(bags.stream + bags.words, dtype=np.uint64)
        stream, words = values[: len(bags.stream)], values[len(bags.stream) :]
        pairs = stream[:-1] * self._left
        pairs += stream[1:] * self._right
        pairs ^= pairs >> _HALF
        return list(zip(self._minhash(pairs, bags.pair_starts), self._embed(pairs, words, bags), strict=True))

    def _minhash(self, pairs: U64, starts: list[int]) -> list[tuple[int, ...]]:
        values = self._a * pairs
        values += self._b
        least = np.minimum.reduceat(values, starts, axis=1)
        least >>= _HALF
        return list(map(tuple, least.T.tolist()))

    def _embed(self, pairs: U64, words: U64, bags: Bags) -> list[bytes]:
        """For each of the lower 32 bits: twice the weight of the hashes that have it set, less the weight of all."""
        hashes = np.concatenate((pairs, words)).astype("<u4").view(np.uint8)
        counters = self._counters.take(hashes, axis=0).reshape(-1, _LANES)
        counters[len(pairs) :] *= ((words >= _FIRST_RANKED) * _TWO + _ONE)[:, None]
        starts = bags.pair_starts + [len(pairs) + start for start in bags.word_starts]
        counts = np.add.reduceat(counters, starts).astype("<u8", copy=False).view("<u2")
        sums = counts[: len(bags.weights)] * (2.0 * _PAIR)
        sums += counts[len(bags.weights) :] * (2.0 * _WORD)
        sums -= np.array(bags.weights)[:, None]
        return _pack(sums)


def _counters() -> U64:
    """For each byte its eight bits as counters of 16 bits, four to an integer, so that one addition counts four."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return bits.astype("<u2").view("<u8").astype(np.uint64)


def _pack(sums: npt.NDArray[np.float64]) -> list[bytes]:
    """Each row scaled to length 127 and rounded to signed bytes."""
    lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums))
    sums *= (SCALE / np.maximum(lengths, 1.0))[:, None]
    packed = np.rint(sums).astype(np.int8).tobytes()
    return [packed[at : at + DIMENSIONS] for at in range(0, len(packed), DIMENSIONS)]
