"""From a text's token hashes to its vectors, MinHash and embedding.

Sums are of integers up to the last rounding, so a text gets the same bytes here and in compiled code (`token_vectors`),
on any processor. Features are the distinct words and every pair of neighbouring words; a mark stands before the first
and after the last.

- MinHash: for i in 0..15, the minimum over the pairs of the upper 32 bits of a_i * h + b_i (mod 2^64), a_i odd.
  The share of equal places estimates the Jaccard similarity of two texts' sets of pairs, with standard error <= 0.125.
- Embedding: the sum over features of weight * s, s the 32 signs given by the feature's hash, scaled to length 127.
  Weight of a word: 1, a third for function words, however often it occurs; of a pair: a half each time. Inner products
  estimate the cosine of the two bags, with standard error about 1/sqrt(32).
"""

from __future__ import annotations

import hashlib
from math import sqrt

import numpy as np
import numpy.typing as npt

from stillwatch_schemas.sketch.hashing import FUNCTION, TOKEN_BITS, subkey

MINHASHES = 16
DIMENSIONS = 32
SCALE = 127
"""Length of the embedding before rounding to signed bytes."""
PAIR_WEIGHT, FUNCTION_WEIGHT, WORD_WEIGHT = 3, 2, 6
"""Of a pair of neighbours, a function word, any other word; in sixths."""

U64 = npt.NDArray[np.uint64]

_HALF = np.uint64(32)
_FUNCTION_WORDS_END = np.uint64((FUNCTION + 1) << TOKEN_BITS)

Vectors = tuple[tuple[int, ...], bytes]
"""MinHash and embedding of a text."""


class Projector:
    """MinHash and embedding under one key."""

    def __init__(self, key: bytes) -> None:
        stream = hashlib.shake_256(subkey(key, b"projection")).digest(8 * (2 * MINHASHES + 3))
        words = np.frombuffer(stream, dtype="<u8").astype(np.uint64)
        odd = words | np.uint64(1)
        self.a, self.b = odd[:MINHASHES], words[MINHASHES : 2 * MINHASHES]
        self.left, self.right, self.mark = odd[-3:]

    def project(self, stream: U64, words: U64) -> Vectors:
        """Of a text of one token or more: all in order between two marks, and the distinct ones, ascending."""
        pairs = self._pairs(stream)
        least = (self.a[:, None] * pairs + self.b[:, None]).min(axis=1) >> _HALF
        return tuple(least.tolist()), _embedding(pairs, words)

    def _pairs(self, stream: U64) -> U64:
        pairs: U64 = stream[:-1] * self.left + stream[1:] * self.right
        pairs ^= pairs >> _HALF
        return pairs


def _embedding(pairs: U64, words: U64) -> bytes:
    """For each of the lower 32 bits: twice the weight of the hashes that have it set, less the weight of all."""
    function_words = int(words.searchsorted(_FUNCTION_WORDS_END))
    weights = np.full(len(words) + len(pairs), PAIR_WEIGHT)
    weights[: len(words)] = WORD_WEIGHT
    weights[:function_words] = FUNCTION_WEIGHT
    hashes = np.concatenate((words, pairs)).astype("<u4")
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, DIMENSIONS // 8), axis=1)
    sums: npt.NDArray[np.float64] = 2.0 * (weights @ bits) - weights.sum()
    return np.rint(sums * (SCALE / max(sqrt(sums.dot(sums)), 1.0))).astype(np.int8).tobytes()
