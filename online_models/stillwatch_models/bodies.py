"""Bodies of account rows without their zeros: an account with one event is a third of a row, a busy one is a whole row.

A body is cut into words of four bytes. What is kept is one bit a word, and the words that are not zero. Lossless, and
the same bytes for the same body, so it is also what a checkpoint writes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

WORD = 4
BITS = 8 * WORD


def empty(words: int) -> bytes:
    """A body of so many words, all zero."""
    return bytes(_mark_words(words) * WORD)


def pack(bodies: Words) -> list[bytes]:
    """Packed form of each body; `bodies` is (n, words)."""
    count, words = bodies.shape
    head = _mark_words(words)
    filled = bodies != 0
    sizes = filled.sum(axis=1)
    marks = np.zeros((count, head * WORD), np.uint8)
    marks[:, : -(-words // 8)] = np.packbits(filled, axis=1)
    ends = np.cumsum(sizes + head)
    starts = ends - sizes - head
    out = np.empty(int((sizes + head).sum()), np.uint32)
    out[starts[:, None] + np.arange(head)] = marks.view(np.uint32)
    out[_word_places(sizes, head)] = bodies[filled]
    data = out.tobytes()
    return [data[start:end] for start, end in zip((starts * WORD).tolist(), (ends * WORD).tolist(), strict=True)]


def unpack(packed: Sequence[bytes], words: int) -> Words:
    """The bodies again, (n, words)."""
    head = _mark_words(words)
    data = np.frombuffer(b"".join(packed), np.uint32)
    sizes = np.fromiter(map(len, packed), np.int64, len(packed)) // WORD
    marks = data[(np.cumsum(sizes) - sizes)[:, None] + np.arange(head)].view(np.uint8)
    out = np.zeros((len(packed), words), np.uint32)
    out[np.unpackbits(marks, axis=1, count=words).view(bool)] = data[_word_places(sizes - head, head)]
    return out


def _mark_words(words: int) -> int:
    """Words that hold the bits."""
    return -(-words // BITS)


def _word_places(sizes: NDArray[np.int64], head: int) -> NDArray[np.int64]:
    """Where the words of all bodies stand: each body's after its bits."""
    return np.asarray(np.arange(int(sizes.sum())) + np.repeat(np.arange(1, len(sizes) + 1) * head, sizes))
