"""The words met so far, each with its keyed hash and its traits, in a table that compiled code searches.

A word is found by a hash of its spelling and recognised by the spelling itself, so none is mistaken for another. The
table never grows: when it is full everything is forgotten, which changes the cost and never a result. The hash begins
with a secret number, so that nobody can send words that all belong in one place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch_schemas.compiled import Number, Record, compiled, part
from stillwatch_schemas.sketch.normalise import SEPARATOR, UNSPACED_SEPARATOR

WORD = np.dtype(
    [
        ("hash", "<u8"),
        ("value", "<u8"),  # keyed hash, rank in the upper bits: see `TokenHashes`
        ("seen_in", "<u8"),  # number of the text that held it last
        ("traits", "<u2"),  # see `traits`
        ("size", "<u2"),  # bytes of its spelling; 0: no word stands here
        ("start", "<u4"),  # of its spelling
    ]
)
_PLACE_BITS = 16
_PLACES = 1 << _PLACE_BITS
MOST_WORDS = 3 * _PLACES // 4
"""Remembered at a time; a chunk of texts has fewer."""
_SPELLED_BYTES = 1 << 20
"""Room for the spellings of all words; those of a chunk of texts take a quarter of it at most."""

_TO_PLACE = np.uint64(64 - _PLACE_BITS)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Odd, any."""
_SPACE, _END, _UNSPACED_END = b" "[0], SEPARATOR[0], UNSPACED_SEPARATOR[0]

Bytes = NDArray[np.uint8]
Words = NDArray[Any]
Places = NDArray[np.int32]


class Vocabulary:
    """The table; `words` and `spellings` are for compiled code."""

    def __init__(self, secret: int) -> None:
        self.words = np.zeros(_PLACES, WORD)
        self.spellings = np.zeros(_SPELLED_BYTES, np.uint8)
        self.secret = np.uint64(secret)
        self._count = self._spelled = 0

    def learn(self, words: Iterable[tuple[bytes, int, int]]) -> None:
        """Take in words that are not known, each once: spelling in UTF-8, value and traits."""
        for spelling, value, traits in words:
            if self._count == MOST_WORDS or self._spelled + len(spelling) > _SPELLED_BYTES:
                self._forget()
            letters = np.frombuffer(spelling, np.uint8)
            self.spellings[self._spelled : self._spelled + len(letters)] = letters
            _learn(self.words, self.spellings, self._spelled, len(letters), self.secret, np.uint64(value), traits)
            self._count += 1
            self._spelled += len(letters)

    def _forget(self) -> None:
        self.words["size"] = 0
        self._count = self._spelled = 0


@compiled
def _learn(  # noqa: PLR0917 - in compiled code arguments have positions only
    words: Words, spellings: Bytes, start: int, size: int, secret: Number, value: Number, traits: int
) -> None:
    """Put a word where it belongs."""
    hashed = secret
    for at in range(start, start + size):
        hashed = _hash_on(hashed, spellings[at])
    word: Record = words[find(words, spellings, spellings[start : start + size], hashed)]
    word.hash, word.value, word.traits, word.size, word.start, word.seen_in = hashed, value, traits, size, start, 0


@part
def find(words: Words, spellings: Bytes, spelling: Bytes, hashed: Number) -> Number:
    """Where the word stands, or where it would stand."""
    place = np.int64(hashed >> _TO_PLACE)
    while not _may_stand(words[place], spellings, spelling, hashed):
        place = (place + 1) % _PLACES
    return place


@part
def _may_stand(word: Record, spellings: Bytes, spelling: Bytes, hashed: Number) -> bool:
    if word.size == 0:
        return True
    if word.hash != hashed or word.size != len(spelling):
        return False
    start = np.int64(word.start)
    for at in range(len(spelling)):  # noqa: SIM110 - a generator can't be compiled
        if spellings[start + at] != spelling[at]:
            return False
    return True


@part
def _hash_on(hashed: Number, letter: Number) -> Number:
    return (hashed ^ np.uint64(letter)) * _SPREAD


@part
def look_up(  # noqa: PLR0917 - in compiled code arguments have positions only
    data: Bytes, words: Words, spellings: Bytes, secret: Number, places: Places, texts: Places, unknown: Places
) -> tuple[Number, Number]:
    """Where the tokens of texts stand in the table; how many are not there, and how many texts there are.

    `data`: texts in UTF-8, spaces between the tokens, a separator behind each text. Fills in `places`, one for each
    token; `texts`: one past each text's last token, and whether its script is unspaced; and `unknown`, the spans in
    `data` of tokens that are not there, until it is full: then the rest is not looked at.
    """
    tokens = found = missing = start = 0
    hashed = secret
    for at in range(len(data)):
        letter = data[at]
        if letter != _SPACE and letter < _UNSPACED_END:
            hashed = _hash_on(hashed, letter)
            continue
        if at > start:
            places[tokens] = find(words, spellings, data[start:at], hashed)
            if words[places[tokens]].size == 0:
                unknown[missing, 0], unknown[missing, 1] = start, at
                missing += 1
                if missing == len(unknown):
                    break
            tokens += 1
        hashed, start = secret, at + 1
        if letter >= _UNSPACED_END:
            texts[found, 0], texts[found, 1] = tokens, letter == _UNSPACED_END
            found += 1
    return missing, found
