"""Topic cells: a few hashed buckets of the words that tell most of what a text is about.

No corpus is at hand in the emitter, so length stands for rarity: the longest content words win, ties go to the
greater keyed hash. Texts in scripts without spaces offer pairs of neighbouring characters instead. Growth of the set of
cells an account has hit is topic coverage; equal cells across accounts are shared topics (1 in 4,096 by chance).
"""

from __future__ import annotations

import numpy as np

from stillwatch_schemas.sketch.hashing import CONTENT, PLAIN, TOKEN_BITS
from stillwatch_schemas.sketch.projection import U64

CELLS = 4_096
MAX_CELLS = 4
PAIR_FACTOR, MIX_FACTOR, MIX_SHIFT = 3, 0x9E3779B97F4A7C15, 34
"""A pair of characters is hashed as `(PAIR_FACTOR * left + right) * MIX_FACTOR >> MIX_SHIFT`, modulo 2^64."""

_CONTENT_FLOOR = CONTENT << TOKEN_BITS
_RANK = np.uint64(TOKEN_BITS)
_LEFT, _MIX, _UPPER = np.uint64(PAIR_FACTOR), np.uint64(MIX_FACTOR), np.uint64(MIX_SHIFT)


def topic_cells(in_order: U64, distinct: U64, *, unspaced: bool) -> tuple[int, ...]:
    """Up to four cells, ascending: from the `distinct` values (ascending), in unspaced scripts also from pairs."""
    greatest: list[int] = distinct[-MAX_CELLS:].tolist()
    best = [value for value in greatest if value >= _CONTENT_FLOOR]
    if unspaced and len(best) < MAX_CELLS:
        best += _character_pairs(in_order)[len(best) - MAX_CELLS :]
    return tuple(sorted({value % CELLS for value in best}))


def _character_pairs(values: U64) -> list[int]:
    """Distinct mixed hashes of neighbouring single characters, ascending, function characters left out."""
    plain = values >> _RANK == PLAIN
    left, right = values[:-1], values[1:]
    mixed = np.unique(((left * _LEFT + right) * _MIX >> _UPPER)[plain[:-1] & plain[1:]])
    greatest: list[int] = mixed[-MAX_CELLS:].tolist()
    return greatest
