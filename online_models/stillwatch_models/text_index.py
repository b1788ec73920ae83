"""Where a text stands in a ring of texts: a hash table with linear probing, in compiled code.

A Python dictionary would cost ten times as much memory, and the objects that it lets go of would leave holes among
those that last.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Number, Records, part

Index = NDArray[np.int32]
"""Positions in the ring, each at or behind the place that its text hashes to; a power of two of them."""
Ring = Records
"""With a field `text`; every text stands in it once."""

EMPTY: Final = -1
SPREAD: Final = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio (Knuth, The Art of Computer Programming, volume 3, 6.4): spreads what is near."""


def new_index(ring: Ring) -> Index:
    """An empty index: half of it stays free, so that a search is short."""
    return np.full(2 << (len(ring) - 1).bit_length(), EMPTY, np.int32)


@part
def find(index: Index, ring: Ring, text: Number) -> Number:
    """Position of a text, -1 where it is not in the ring."""
    at = _home(index, text)
    while index[at] != EMPTY and ring[index[at]].text != text:
        at = _behind(index, at)
    return np.int64(index[at])


@part
def insert(index: Index, ring: Ring, position: Number) -> None:
    """Enter the text at a position of the ring, which is not in the index."""
    at = _home(index, ring[position].text)
    while index[at] != EMPTY:
        at = _behind(index, at)
    index[at] = position


@part
def remove(index: Index, ring: Ring, position: Number) -> None:
    """Take out the text at a position, while it still stands there; what was pushed behind it moves up."""
    hole = _home(index, ring[position].text)
    while index[hole] != position:
        hole = _behind(index, hole)
    at, last = _behind(index, hole), len(index) - 1
    while index[at] != EMPTY:
        if (at - _home(index, ring[index[at]].text)) & last >= (at - hole) & last:
            index[hole] = index[at]
            hole = at
        at = _behind(index, at)
    index[hole] = EMPTY


@part
def _home(index: Index, text: Number) -> Number:
    return np.int64((np.uint64(text) * np.uint64(SPREAD)) >> np.uint64(32)) & (len(index) - 1)


@part
def _behind(index: Index, at: Number) -> Number:
    return (at + 1) & (len(index) - 1)
