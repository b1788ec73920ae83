"""Bodies of account rows without their zeros: an account with one event is a sixth of a row, a busy one two thirds.

A body is cut into words of eight bytes. What is kept is one bit a word, in front, and of every word that is not zero
one bit a byte, and its bytes that are not zero. Lossless, and the same bytes for the same body, so it is also what a
checkpoint writes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Number, part

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

WORD = 8
BITS = 8


def empty(words: int) -> bytes:
    """A body of so many words, all zero."""
    return bytes(-(-words // BITS))


def longest(words: int) -> int:
    """Bytes of a body of so many words, none of them with a zero."""
    return len(empty(words)) + words * (1 + WORD)


@part
def pack(body: Words, out: Bytes) -> int:
    """Write a packed body; returns where it ends."""
    at = -(-len(body) // BITS)
    out[:at] = 0
    for word in range(len(body)):
        if body[word]:
            out[word // BITS] |= 1 << word % BITS
            at = _pack_word(body[word], out, at)
    return at


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


@part
def unpack(data: Bytes, body: Words) -> None:
    """The reverse; `data` begins with the packed body."""
    at = -(-len(body) // BITS)
    for word in range(len(body)):
        value = np.uint64(0)
        if data[word // BITS] >> word % BITS & 1:
            value, at = _unpack_word(data, at)
        body[word] = value


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
