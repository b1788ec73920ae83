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
from math import sqrt
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from stillwatch_schemas.sketch.hashing import FUNCTION, TOKEN_BITS, subkey
from stillwatch_schemas.sketch.vocabulary import U64, Indices, Tokens, constant

MINHASHES = 16
DIMENSIONS = 32
SCALE = 127
"""Length of the embedding before rounding to signed bytes."""

_HALF = constant(32)
_RANK = constant(TOKEN_BITS)
_FUNCTION_WORDS_END = constant((FUNCTION + 1) << TOKEN_BITS)
_LANES = DIMENSIONS // 4
# In sixths.
_PAIR, _FUNCTION_WORD, _WORD = 3, 2, 6
_WEIGHT_OF_RANK = np.array([_FUNCTION_WORD, *[_WORD] * 15], dtype=np.uint64)


_Number = TypeVar("_Number", np.uint64, np.intp)

Vectors = tuple[tuple[int, ...], bytes]
"""MinHash and embedding of a text."""


class Bags(NamedTuple):
    """The token values of texts end to end; each text has one or more."""

    stream: U64
    """All tokens in order, a mark before the first, between texts and after the last."""
    pair_starts: Indices
    """Where each text's first pair stands in `stream`."""
    words: U64
    """The distinct tokens of each text."""
    word_starts: Indices
    """Where each text's first one stands in `words`."""


def bags_of(tokens: Tokens, mark: U64) -> Bags:
    """The bags of all texts that have tokens; each text's distinct ones ascend."""
    values, texts = tokens.values, np.arange(len(tokens.starts))
    stream = np.full(len(values) + len(texts) + 1, mark)
    stream[np.arange(1, len(values) + 1) + tokens.owners] = values
    unique, numbers = np.unique(values, return_inverse=True)
    keys = tokens.owners * len(unique)
    keys += numbers
    keys.sort()
    keys = distinct(keys)
    word_starts = np.searchsorted(keys, texts * len(unique))
    return Bags(stream, tokens.starts + texts, unique.take(keys % len(unique)), word_starts)


def distinct(ascending: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    """Each value once; there must be at least one."""
    first = np.ones(len(ascending), dtype=np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=first[1:])
    return ascending[first]


class Projector:
    """MinHash and embedding under one key."""

    def __init__(self, key: bytes) -> None:
        stream = hashlib.shake_256(subkey(key, b"projection")).digest(8 * (2 * MINHASHES + 3))
        words = np.frombuffer(stream, dtype="<u8").astype(np.uint64)
        odd = words | np.uint64(1)
        self._a, self._b = odd[:MINHASHES, None], words[MINHASHES : 2 * MINHASHES, None]
        self._left, self._right, self.mark = map(constant, odd[-3:].tolist())
        self._counters = _counters()

    def project(self, bags: Bags) -> tuple[list[tuple[int, ...]], list[bytes]]:
        """MinHash and embedding of each text."""
        pairs = self._pairs(bags.stream)
        least = np.minimum.reduceat(self._permuted(pairs), bags.pair_starts, axis=1)
        least >>= _HALF
        return list(map(tuple, least.T.tolist())), self._embed(pairs, bags)

    def project_one(self, stream: U64, words: U64) -> Vectors:
        """The same of one text; `stream` and `words`, which ascend, as in `Bags`."""
        pairs = self._pairs(stream)
        least = np.minimum.reduce(self._permuted(pairs), axis=1)
        least >>= _HALF
        return tuple(least.tolist()), self._embed_one(pairs, words)

    def _pairs(self, stream: U64) -> U64:
        pairs = stream[:-1] * self._left
        pairs += stream[1:] * self._right
        pairs ^= pairs >> _HALF
        return pairs

    def _permuted(self, pairs: U64) -> U64:
        """A row for each of MinHash's functions."""
        values = self._a * pairs
        values += self._b
        return values

    def _embed(self, pairs: U64, bags: Bags) -> list[bytes]:
        """For each of the lower 32 bits: twice the weight of the hashes that have it set, less the weight of all."""
        weights = _WEIGHT_OF_RANK.take(bags.words >> _RANK)
        of_words = self._bits(bags.words)
        of_words *= weights[:, None]
        counts = np.add.reduceat(self._bits(pairs), bags.pair_starts)
        counts *= np.uint64(_PAIR)
        counts += np.add.reduceat(of_words, bags.word_starts)
        sums = _read(counts)
        pair_counts = np.diff(bags.pair_starts, append=len(pairs))
        sums -= (pair_counts * float(_PAIR) + np.add.reduceat(weights, bags.word_starts))[:, None]
        lengths = np.sqrt(np.vecdot(sums, sums))
        packed = _packed(sums, (SCALE / np.maximum(lengths, 1.0))[:, None])
        return [packed[at : at + DIMENSIONS] for at in range(0, len(packed), DIMENSIONS)]

    def _embed_one(self, pairs: U64, words: U64) -> bytes:
        function_words, all_words = int(words.searchsorted(_FUNCTION_WORDS_END)), len(words)
        weights = np.full((all_words + len(pairs), 1), _PAIR, dtype=np.uint64)
        weights[:function_words] = _FUNCTION_WORD
        weights[function_words:all_words] = _WORD
        bits = self._bits(np.concatenate((words, pairs)))
        bits *= weights
        sums = _read(np.add.reduce(bits, axis=0))
        sums -= _PAIR * len(pairs) + _FUNCTION_WORD * function_words + _WORD * (all_words - function_words)
        return _packed(sums, SCALE / max(sqrt(sums.dot(sums)), 1.0))

    def _bits(self, hashes: U64) -> U64:
        """A row for each hash: its lower 32 bits as counters."""
        return self._counters.take(hashes.astype("<u4").view(np.uint8), axis=0).reshape(-1, _LANES)


def _counters() -> U64:
    """For each byte its eight bits as counters of 16 bits, four to an integer, so that one addition counts four."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return bits.astype("<u2").view("<u8").astype(np.uint64)


def _read(counters: U64) -> npt.NDArray[np.float64]:
    """Twice what each counter says. None overflows: a text has at most 4,501 pairs and 4,500 words."""
    return counters.astype("<u8", copy=False).view("<u2") * 2.0


def _packed(sums: npt.NDArray[np.float64], scale: float | npt.NDArray[np.float64]) -> bytes:
    """The sums, which are lost, scaled and rounded to signed bytes."""
    sums *= scale
    return np.rint(sums, sums).astype(np.int8).tobytes()
