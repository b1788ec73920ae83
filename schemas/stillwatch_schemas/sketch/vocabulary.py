"""The tokens of many texts at once, each with its keyed hash and its traits, without a Python object for any.

Texts come as bytes, end to end; words are found, compared and looked up by NumPy. A word of at most 16 bytes is its own
key, as two integers of 64 bits, in a table with one place for each hash of the key. A word that is met again is found
there; a new one costs a look-up in `TokenHashes` and takes the place of whatever stood there, which moves to its place
in a second table, over whatever stood in that. So the tables never grow, no word is mistaken for another, and what they
hold changes the cost and never a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch_schemas.sketch.hashing import TokenHashes
from stillwatch_schemas.sketch.normalise import SEPARATOR

U64 = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.intp]
VALUE = np.dtype("<u8")
"""What `TokenHashes` gives."""


def constant(value: int) -> U64:
    """An operand for arrays: as an array without axes it costs NumPy half of what a scalar costs."""
    return np.array(value, dtype=np.uint64)


_PLACE_BITS = 15
_KEY_BYTES = 16
_PADDING = b" " * _KEY_BYTES
"""Behind the last text, so that 16 bytes can be read from any word's first byte on."""
_SPACE, _END = b" "[0], SEPARATOR[0]
_BYTES_KEPT = np.array([(1 << 8 * kept) - 1 for kept in range(9)], dtype=np.uint64)
# Odd, any: for both tables, they spread words over places. Whoever finds words of one place makes each cost a look-up.
_SPREAD = (
    (constant(0x9E3779B97F4A7C15), constant(0xBF58476D1CE4E5B9)),
    (constant(0x94D049BB133111EB), constant(0xD6E8FEB86659FD93)),
)
_TO_PLACE = constant(64 - _PLACE_BITS)
_FIRST, _SECOND, _VALUE, _TRAITS = range(4)
"""Columns of the table: both parts of the key, and what is known of the word."""


class Tokens(NamedTuple):
    """The tokens of texts end to end."""

    values: U64
    """Keyed hash of each token, its rank in the upper bits."""
    traits: U64
    """What else is known of each token."""
    counts: list[int]
    """How many tokens each text has."""
    starts: Indices
    """The first token of each text that has any; texts without are left out from here on."""
    stops: Indices
    """One past its last."""
    owners: Indices
    """Which of these texts each token belongs to."""


class Vocabulary:
    """Looks up the tokens of many texts; `traits_of` tells the traits of a token that is met for the first time."""

    def __init__(self, hashes: TokenHashes, traits_of: Callable[[str], int]) -> None:
        self._hashes, self._traits_of = hashes, traits_of
        self._tables = np.zeros((2, 1 << _PLACE_BITS, 4), dtype=np.uint64)

    def tokens(self, texts: list[bytes]) -> Tokens:
        """The tokens of texts in UTF-8, white space between the tokens."""
        data = b" %b%b%b" % (SEPARATOR.join(texts), SEPARATOR, _PADDING)
        codes = np.frombuffer(data, dtype=np.uint8)
        ends = codes == _END
        gaps = codes == _SPACE
        gaps |= ends
        bounds = np.flatnonzero(gaps[1:] != gaps[:-1]) + 1
        starts, stops = bounds[::2], bounds[1::2]
        rows = self._rows(data, starts, stops)
        counts = np.diff(np.searchsorted(starts, np.flatnonzero(ends)), prepend=0)
        present = counts[counts > 0]
        last = np.cumsum(present)
        owners = np.repeat(np.arange(len(present)), present)
        values, traits = rows[:, _VALUE].copy(), rows[:, _TRAITS].copy()
        return Tokens(values, traits, counts.tolist(), last - present, last, owners)

    def _rows(self, data: bytes, starts: Indices, stops: Indices) -> U64:
        """A row of the tables for each token; of a token too long for them only value and traits mean anything."""
        lengths = stops - starts
        windows: U64 = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))
        first = windows[starts] & _BYTES_KEPT.take(lengths, mode="clip")
        second = windows[starts + 8] & _BYTES_KEPT.take(lengths - 8, mode="clip")
        fits = lengths <= _KEY_BYTES
        rows: U64 = self._tables[0].take(_places(0, first, second), axis=0)
        missing = np.flatnonzero(~(_same(rows, first, second) & fits))
        if len(missing):
            first, second, fits = first[missing], second[missing], fits[missing]
            others = self._tables[1].take(_places(1, first, second), axis=0)
            new = np.flatnonzero(~(_same(others, first, second) & fits))
            others[new, _FIRST], others[new, _SECOND] = first[new], second[new]
            self._look_up(data, starts[missing[new]], stops[missing[new]], others, new)
            self._remember(others[new[fits[new]]])
            rows[missing] = others
        return rows

    def _look_up(self, data: bytes, starts: Indices, stops: Indices, rows: U64, at: Indices) -> None:
        """Fill in, in the rows `at`, what is known of the words that stand between `starts` and `stops`."""
        words = [
            data[start:stop].decode("utf-8", "surrogatepass")
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        ]
        rows[at, _VALUE] = np.frombuffer(self._hashes.joined(words), dtype=VALUE)
        rows[at, _TRAITS] = list(map(self._traits_of, words))

    def _remember(self, rows: U64) -> None:
        places = _places(0, rows[:, _FIRST], rows[:, _SECOND])
        before = self._tables[0, places]
        self._tables[1, _places(1, before[:, _FIRST], before[:, _SECOND])] = before
        self._tables[0, places] = rows


def _places(table: int, first: U64, second: U64) -> Indices:
    one, other = _SPREAD[table]
    return ((first ^ second * other) * one >> _TO_PLACE).astype(np.intp)


def _same(rows: U64, first: U64, second: U64) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = (rows[:, _FIRST] == first) & (rows[:, _SECOND] == second)
    return same
