"""Bodies of account rows without their zeros: an account with one event is a sixth of a row, a busy one two thirds.

A body is cut into words of eight bytes. What is kept is one bit a word, in front, and of every word that is not zero
one bit a byte, and its bytes that are not zero. Lossless, and the same bytes for the same body, so it is also what a
checkpoint writes.

Nothing here asks of a single byte whether it is zero, for the processor could not guess the answer: marks of eight are
looked up in tables, and the bytes of a word are moved all at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Number, part

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

WORD = 8
BITS = 8
STEPS = (0, 1, 2)
"""A byte moves by up to seven places: by one, by two, by four of them."""
BYTE = 0xFF


def _kept(marks: int) -> list[int]:
    """Which of eight are marked."""
    return [i for i in range(BITS) if marks >> i & 1]


def _moves(marks: int) -> list[int]:
    """For each step, the bytes that move when those marked are pushed together: a byte passes all zeros below it."""
    moves = [0 for _ in STEPS]
    for rank, at in enumerate(_kept(marks)):
        for step in STEPS:
            if at - rank >> step & 1:
                moves[step] |= BYTE << BITS * (at - ((at - rank) & ((1 << step) - 1)))
    return moves


_COUNT = np.array([len(_kept(marks)) for marks in range(1 << BITS)], np.uint64)
_KEPT = np.array([(_kept(marks) + [0] * BITS)[:BITS] for marks in range(1 << BITS)], np.uint64)
_MOVES = np.array([_moves(marks) for marks in range(1 << BITS)], np.uint64)
_FIRST = np.array([(1 << BITS * count) - 1 for count in range(WORD + 1)], np.uint64)
"""So many bytes of a word."""
_SEVEN = np.uint64(0x7F7F7F7F7F7F7F7F)
"""All bits of each byte but the highest."""
_GATHER = np.uint64(0x0102040810204080)
"""Times this, the highest byte has the lowest bits of all bytes."""


def empty(words: int) -> bytes:
    """A body of so many words, all zero."""
    return bytes(-(-words // BITS))


def longest(words: int) -> int:
    """Bytes of a body of so many words, none of them with a zero; both `pack` and `unpack` need so much room."""
    return len(empty(words)) + words * (1 + WORD)


# Positions are unsigned: others could count from the end, and then bytes side by side are not moved as one word.


@part
def pack(body: Words, out: Bytes) -> Number:
    """Write a packed body; returns where it ends."""
    at = np.uint64(-(-len(body) // BITS))
    for eight in range(-(-len(body) // BITS)):
        first, marks = np.uint64(eight * BITS), np.uint64(0)
        for i in range(min(BITS, len(body) - eight * BITS)):
            marks |= np.uint64(body[first + np.uint64(i)] != 0) << np.uint64(i)
        out[eight] = marks
        for i in range(_COUNT[marks]):
            at = _pack_word(body[first + _KEPT[marks, i]], out, at)
    return np.int64(at)


@part
def _pack_word(value: Number, out: Bytes, at: Number) -> Number:
    """Write a word; returns where it ends. Eight bytes are written, and those that are too many are written over."""
    highest = ((value & _SEVEN) + _SEVEN | value) & ~_SEVEN  # of each byte that is not zero
    marks = (highest >> np.uint64(BITS - 1)) * _GATHER >> np.uint64(BITS * (WORD - 1))
    for step in STEPS:
        moved = value & _MOVES[marks, step]
        value = value ^ moved | moved >> np.uint64(BITS << step)
    out[at] = marks
    for i in range(WORD):
        out[at + np.uint64(1 + i)] = value >> np.uint64(BITS * i) & np.uint64(BYTE)
    return at + np.uint64(1) + _COUNT[marks]


@part
def unpack(data: Bytes, body: Words) -> None:
    """The reverse; `data` begins with the packed body."""
    at = np.uint64(-(-len(body) // BITS))
    last = np.uint64(len(body) - 1)
    body[:] = 0
    for eight in range(-(-len(body) // BITS)):
        marks = data[eight]
        for i in range(_COUNT[marks]):
            value, at = _unpack_word(data, at)
            body[min(np.uint64(eight * BITS) + _KEPT[marks, i], last)] = value


@part
def _unpack_word(data: Bytes, at: Number) -> tuple[Number, Number]:
    """Read a word; returns it and where it ends. Eight bytes are read; those that are too many are left out."""
    marks: Number = data[at]
    value: Number = np.uint64(0)
    for i in range(WORD):
        value |= np.uint64(data[at + np.uint64(1 + i)]) << np.uint64(BITS * i)
    value &= _FIRST[_COUNT[marks]]
    for step in STEPS[::-1]:
        moved = value << np.uint64(BITS << step) & _MOVES[marks, step]
        value = value & ~(moved >> np.uint64(BITS << step)) | moved
    return value, at + np.uint64(1) + _COUNT[marks]
