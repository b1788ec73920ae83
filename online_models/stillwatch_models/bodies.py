"""Bodies of account rows without their zeros: an account with one event is a third of a row, a busy one is a whole row.

A body is cut into words of four bytes. What is kept is one bit a word, and the words that are not zero. Lossless, and
the same bytes for the same body, so it is also what a checkpoint writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stillwatch_models.compiled import compiled, part

Words = NDArray[np.uint32]

WORD = 4
MARK = 8
"""Words that a byte of marks tells of, the first in its highest bit."""


def empty(words: int) -> bytes:
    """A body of so many words, all zero."""
    return bytes(_head(words) * WORD)


def pack(rows: Words, first: int = 0) -> list[bytes]:
    """Packed form of each body; `rows` is (n, words), and a body is all from column `first` on."""
    words = rows.shape[1] - first
    room, ends = np.empty(len(rows) * (_head(words) + words), np.uint32), np.empty(len(rows), np.int64)
    _pack(rows, first, room, ends)
    cuts = [0, *(ends * WORD).tolist()]
    data = room[: cuts[-1] // WORD].tobytes()
    return [data[start:end] for start, end in pairwise(cuts)]


def unpack(packed: Sequence[bytes], rows: Words, first: int = 0) -> None:
    """Write the bodies to `rows`, from column `first` on."""
    sizes = np.fromiter(map(len, packed), np.int64, len(packed)) // WORD
    _unpack(np.frombuffer(b"".join(packed), np.uint32), sizes, rows, first)


@part
def _head(words: int) -> int:
    """Words that hold the marks."""
    return -(-words // (MARK * WORD))


@compiled
def _pack(rows: Words, first: int, out: Words, ends: NDArray[np.int64]) -> None:
    """Write packed bodies one after the other."""
    words, marks = rows.shape[1] - first, out.view(np.uint8)
    at = 0
    for row in range(len(rows)):
        start = at
        at += _head(words)
        out[start:at] = 0
        for word in range(words):
            value = rows[row, first + word]
            if value:
                marks[start * WORD + word // MARK] |= 0x80 >> word % MARK
                out[at] = value
                at += 1
        ends[row] = at


@compiled
def _unpack(data: Words, sizes: NDArray[np.int64], rows: Words, first: int) -> None:
    """The reverse."""
    head, marks = _head(rows.shape[1] - first), data.view(np.uint8)
    start = 0
    for row in range(len(rows)):
        rows[row, first:] = 0
        at = start + head
        for byte in range(head * WORD):
            left, word = np.int64(marks[start * WORD + byte]), first + byte * MARK
            while left:
                if left & 0x80:
                    rows[row, word] = data[at]
                    at += 1
                left, word = left << 1 & 0xFF, word + 1
        start += sizes[row]
