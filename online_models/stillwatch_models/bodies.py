"""Bodies of account rows without their zeros: an account with one event is a sixth of a row, a busy one two thirds.

A body is cut into words of eight bytes. What is kept is one bit a word, in front, and of every word that is not zero
one bit a byte, and its bytes that are not zero. Lossless, and the same bytes for the same body, so it is also what a
checkpoint writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stillwatch_models.compiled import Number, compiled, part

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

WORD = 8
BITS = 8


def empty(words: int) -> bytes:
    """A body of so many words, all zero."""
    return bytes(-(-words // BITS))


def pack(rows: Words, first: int = 0) -> list[bytes]:
    """Packed form of each body; `rows` is (n, words), and a body is all from column `first` on."""
    words = rows.shape[1] - first
    room, ends = np.empty(len(rows) * (len(empty(words)) + words * (1 + WORD)), np.uint8), np.empty(len(rows), np.int64)
    _pack(rows, first, room, ends)
    cuts = [0, *ends.tolist()]
    data = room[: cuts[-1]].tobytes()
    return [data[start:end] for start, end in pairwise(cuts)]


def unpack(packed: Sequence[bytes], rows: Words, first: int = 0) -> None:
    """Write the bodies to `rows`, from column `first` on."""
    sizes = np.fromiter(map(len, packed), np.int64, len(packed))
    _unpack(np.frombuffer(b"".join(packed), np.uint8), sizes, rows, first)


@compiled
def _pack(rows: Words, first: int, out: Bytes, ends: NDArray[np.int64]) -> None:
    """Write packed bodies one after the other."""
    at = 0
    for row in range(len(rows)):
        marks = at
        at += -(-(rows.shape[1] - first) // BITS)
        out[marks:at] = 0
        for word in range(rows.shape[1] - first):
            value = rows[row, first + word]
            if value:
                out[marks + word // BITS] |= 1 << word % BITS
                at = _pack_word(value, out, at)
        ends[row] = at


@part
def _pack_word(value: Number, out: Bytes, at: int) -> int:
    """Write a word; returns where it ends. Every byte is written, and those that are zero are written over."""
    marks, end = 0, at + 1
    for i in range(WORD):
        byte = value >> np.uint64(BITS * i) & np.uint64(0xFF)
        out[end] = byte
        end += byte != 0
        marks |= (byte != 0) << i
    out[at] = marks
    return end


@compiled
def _unpack(data: Bytes, sizes: NDArray[np.int64], rows: Words, first: int) -> None:
    """The reverse."""
    start = 0
    for row in range(len(rows)):
        at = start - (first - rows.shape[1]) // BITS
        for word in range(rows.shape[1] - first):
            value = np.uint64(0)
            if data[start + word // BITS] >> word % BITS & 1:
                value, at = _unpack_word(data, at)
            rows[row, first + word] = value
        start += sizes[row]


@part
def _unpack_word(data: Bytes, at: int) -> tuple[Number, int]:
    """Read a word; returns it and where it ends. A byte that is not there is nought times the one that comes next."""
    marks, last, value = data[at], len(data) - 1, np.uint64(0)
    at += 1
    for i in range(WORD):
        kept = marks >> i & 1
        value |= np.uint64(data[min(at, last)] * kept) << np.uint64(BITS * i)
        at += kept
    return value, at
