"""The words met so far, each with its keyed hash and its traits, in a table that compiled code searches.

A word is found by a hash of its spelling and recognised by the spelling itself, so none is mistaken for another. The
table never grows: when it is full everything is forgotten, which changes the cost and never a result. The hash begins
with a secret number, so that nobody can send words that all belong in one place.
"""

from __future__ import annotations

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
"""Remembered at a time; texts that are measured together have fewer."""
_SPELLED_BYTES = 1 << 20
"""Room for the spellings of all words; those of texts that are measured together take a tenth of it at most."""

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

    def learn(self, spellings: list[bytes], values: list[int], traits: list[int]) -> None:
        """Take in words that are not known, each once and fewer than `MOST_WORDS`; spellings in UTF-8."""
        letters = np.frombuffer(SEPARATOR.join((*spellings, b"")), np.uint8)
        if self._count + len(spellings) > MOST_WORDS or self._spelled + len(letters) > _SPELLED_BYTES:
            self._forget()
        _learn(
            letters,
            np.array(values, np.uint64),
            np.array(traits),
            self.words,
            self.spellings,
            self._spelled,
            self.secret,
        )
        self._count += len(spellings)
        self._spelled += len(letters)

    def _forget(self) -> None:
        self.words["size"] = 0
        self._count = self._spelled = 0


@compiled
def _learn(  # noqa: PLR0917 - in compiled code arguments have positions only
    letters: Bytes,
    values: NDArray[np.uint64],
    traits: NDArray[np.int64],
    words: Words,
    spellings: Bytes,
    spelled: int,
    secret: Number,
) -> None:
    """Put words, with a separator behind each, where they belong."""
    learned = start = 0
    hashed = secret
    for at in range(len(letters)):
        spellings[spelled + at] = letters[at]
        if letters[at] != _END:
            hashed = _hash_on(hashed, letters[at])
            continue
        word: Record = words[find(words, spellings, letters[start:at], hashed)]
        word.hash, word.value, word.traits = hashed, values[learned], traits[learned]
        word.start, word.size, word.seen_in = spelled + start, at - start, 0
        learned += 1
        hashed, start = secret, at + 1


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
