"""`projection` and `topics` in compiled code: a text's MinHash, embedding and cells, token by token."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stillwatch_schemas.compiled import Number, Record, part
from stillwatch_schemas.sketch.hashing import CONTENT, FUNCTION, PLAIN, TOKEN_BITS
from stillwatch_schemas.sketch.projection import (
    DIMENSIONS,
    FUNCTION_WEIGHT,
    MINHASHES,
    PAIR_WEIGHT,
    SCALE,
    WORD_WEIGHT,
    Projector,
)
from stillwatch_schemas.sketch.topics import CELLS, MAX_CELLS, MIX_FACTOR, MIX_SHIFT, PAIR_FACTOR
from stillwatch_schemas.sketch.vocabulary import Places, Words

VECTORS = np.dtype(
    [
        ("a", "<u8", MINHASHES),
        ("b", "<u8", MINHASHES),
        ("left", "<u8"),
        ("right", "<u8"),
        ("mark", "<u8"),
        ("least", "<u8", MINHASHES),
        ("counts", "<i4", DIMENSIONS),  # weights of the features that have the bit set
        ("weight", "<i4"),  # of all features
        ("best", "<u8", MAX_CELLS),  # the greatest values, descending, 0 where there are fewer
    ]
)
"""Keyed constants of the projection, then what is gathered of one text."""

_HALF = np.uint64(32)
_RANK = np.uint64(TOKEN_BITS)
_CONTENT_FLOOR = np.uint64(CONTENT << TOKEN_BITS)
_NONE, _MOST = np.uint64(0), np.uint64(2**64 - 1)
_MIX, _UPPER, _LEFT = np.uint64(MIX_FACTOR), np.uint64(MIX_SHIFT), np.uint64(PAIR_FACTOR)
_CELLS = np.uint64(CELLS)
_PAIR_OF_CHARACTERS = np.uint64(1 << 64 - MIX_SHIFT)
"""Above all that is left of their hash, so that none is 0; a multiple of `CELLS`."""
# Dimensions stand in the order of NumPy's `unpackbits` of the four bytes: the highest bit of the lowest byte first.
_BIT = np.array([8 * (at // 8) + 7 - at % 8 for at in range(DIMENSIONS)], np.uint32)


def vectors_of(projector: Projector) -> NDArray[np.void]:
    """One such record."""
    vectors = np.zeros(1, VECTORS)
    vectors["a"], vectors["b"] = projector.a, projector.b
    vectors["left"], vectors["right"], vectors["mark"] = projector.left, projector.right, projector.mark
    return vectors


@part
def measure(vectors: Record, words: Words, places: Places, text: Number, unspaced: Number) -> None:
    """Gather the tokens of a text; `text` is a number no other has."""
    _begin(vectors)
    before = vectors.mark
    for place in places:
        word = words[place]
        if word.seen_in != text:
            word.seen_in = text
            _add_word(vectors, word.value)
        _add_pair(vectors, before, word.value)
        before = word.value
    _add_pair(vectors, before, vectors.mark)
    if unspaced:
        _add_character_pairs(vectors, words, places)


@part
def put(vectors: Record, cells: NDArray[np.int64], minhash: NDArray[np.int64], embedding: NDArray[np.int8]) -> None:
    """Write down what was gathered: how many cells and the cells, MinHash, embedding."""
    _put_cells(vectors.best, cells)
    for at in range(MINHASHES):
        minhash[at] = vectors.least[at] >> _HALF
    _embed(vectors, embedding)


@part
def _begin(vectors: Record) -> None:
    """A new text."""
    for at in range(MINHASHES):
        vectors.least[at] = _MOST
    for at in range(DIMENSIONS):
        vectors.counts[at] = 0
    vectors.weight = 0
    for at in range(MAX_CELLS):
        vectors.best[at] = _NONE


@part
def _add_word(vectors: Record, value: Number) -> None:
    """Add a word that the text had not held before."""
    _count(vectors, value, FUNCTION_WEIGHT if value >> _RANK == FUNCTION else WORD_WEIGHT)
    if value >= _CONTENT_FLOOR:
        _keep_greatest(vectors.best, value, 0)


@part
def _add_pair(vectors: Record, left: Number, right: Number) -> None:
    """Add a pair of neighbours."""
    pair = left * vectors.left + right * vectors.right
    pair ^= pair >> _HALF
    for at in range(MINHASHES):
        vectors.least[at] = min(vectors.least[at], vectors.a[at] * pair + vectors.b[at])
    _count(vectors, pair, PAIR_WEIGHT)


@part
def _count(vectors: Record, value: Number, weight: int) -> None:
    bits = np.uint32(value)
    for at in range(DIMENSIONS):
        vectors.counts[at] += np.int32((bits >> _BIT[at]) & np.uint32(1)) * np.int32(weight)
    vectors.weight += weight


@part
def _keep_greatest(best: NDArray[np.uint64], value: Number, first: Number) -> None:
    """Put a value in its place among the greatest from `first` on, unless it is there."""
    for at in range(first, MAX_CELLS):
        if value == best[at]:
            return
        if value > best[at]:
            value, best[at] = best[at], value
            if value == _NONE:
                return


@part
def _embed(vectors: Record, embedding: NDArray[np.int8]) -> None:
    """The sums of signs, scaled and rounded."""
    squares = 0.0
    for at in range(DIMENSIONS):
        total = 2.0 * vectors.counts[at] - vectors.weight
        squares += total * total
    scale = SCALE / max(np.sqrt(squares), 1.0)
    for at in range(DIMENSIONS):
        embedding[at] = np.rint((2.0 * vectors.counts[at] - vectors.weight) * scale)


@part
def _add_character_pairs(vectors: Record, words: Words, places: Places) -> None:
    """Offer pairs of neighbouring single characters for the cells that words have left free."""
    taken = 0
    while taken < MAX_CELLS and vectors.best[taken] != _NONE:
        taken += 1
    for at in range(len(places) - 1):
        left, right = words[places[at]].value, words[places[at + 1]].value
        if left >> _RANK == PLAIN and right >> _RANK == PLAIN:
            hashed = (left * _LEFT + right) * _MIX >> _UPPER
            _keep_greatest(vectors.best, hashed | _PAIR_OF_CHARACTERS, taken)


@part
def _put_cells(best: NDArray[np.uint64], cells: NDArray[np.int64]) -> None:
    """How many cells, then the cells, distinct and ascending."""
    count = 0
    for value in best:
        if value == _NONE:
            break
        cell = np.int64(value % _CELLS)
        at = count
        while at > 0 and cells[at] > cell:
            at -= 1
        if at > 0 and cells[at] == cell:
            continue
        for moved in range(count, at, -1):
            cells[moved + 1] = cells[moved]
        cells[at + 1] = cell
        count += 1
    cells[0] = count
