"""Topic cells: a few hashed buckets of the words that tell most of what a text is about.

No corpus is at hand in the emitter, so length stands for rarity: the longest content words win, ties go to the
greater keyed hash. Texts in scripts without spaces offer pairs of neighbouring characters instead. Growth of the set of
cells an account has hit is topic coverage; equal cells across accounts are shared topics (1 in 4,096 by chance).
"""

from __future__ import annotations

import numpy as np

from stillwatch_schemas.sketch.hashing import CONTENT, PLAIN, TOKEN_BITS
from stillwatch_schemas.sketch.projection import Bags
from stillwatch_schemas.sketch.vocabulary import U64, Tokens

CELLS = 4_096
MAX_CELLS = 4

_CONTENT_FLOOR = CONTENT << TOKEN_BITS
_RANK = np.uint64(TOKEN_BITS)
_THREE, _MIX, _UPPER = np.uint64(3), np.uint64(0x9E3779B97F4A7C15), np.uint64(34)
_BACK = np.arange(-MAX_CELLS, 0)


def topic_cells(in_order: U64, distinct: U64, *, unspaced: bool) -> tuple[int, ...]:
    """Up to four cells, ascending: from the `distinct` values (ascending), in unspaced scripts also from pairs."""
    greatest: list[int] = distinct[-MAX_CELLS:].tolist()
    best = [value for value in greatest if value >= _CONTENT_FLOOR]
    if unspaced and len(best) < MAX_CELLS:
        best += _character_pairs(in_order)[len(best) - MAX_CELLS :]
    return tuple(sorted({value % CELLS for value in best}))


def cells_of_many(tokens: Tokens, bags: Bags, unspaced: list[bool]) -> list[tuple[int, ...]]:
    """The same of each text that has tokens."""
    word_stops = np.append(bags.word_starts[1:], len(bags.words))
    places = word_stops[:, None] + _BACK
    greatest = bags.words.take(places, mode="clip")
    usable = (places >= bags.word_starts[:, None]) & (greatest >= _CONTENT_FLOOR)
    found = np.where(usable, greatest % np.uint64(CELLS), np.uint64(CELLS))
    found.sort(axis=1)
    plain = (found[:, 1:] > found[:, :-1]).all(axis=1) & (found[:, -1] < CELLS)
    cells: list[tuple[int, ...]] = list(map(tuple, found.tolist()))
    for at in np.flatnonzero(~plain | unspaced).tolist():
        in_order = tokens.values[tokens.starts[at] : tokens.stops[at]]
        cells[at] = topic_cells(in_order, bags.words[bags.word_starts[at] : word_stops[at]], unspaced=unspaced[at])
    return cells


def _character_pairs(values: U64) -> list[int]:
    """Distinct mixed hashes of neighbouring single characters, ascending, function characters left out."""
    plain = values >> _RANK == PLAIN
    left, right = values[:-1], values[1:]
    mixed: list[int] = np.unique(((left * _THREE + right) * _MIX >> _UPPER)[plain[:-1] & plain[1:]])[
        -MAX_CELLS:
    ].tolist()
    return mixed
