"""Topic cells: a few hashed buckets of the words that tell most of what a text is about.

No corpus is at hand in the emitter, so length stands for rarity: the longest content words win, ties go to the
greater keyed hash. Texts in scripts without spaces offer pairs of neighbouring characters instead. Growth of the set of
cells an account has hit is topic coverage; equal cells across accounts are shared topics (1 in 4,096 by chance).
"""

from __future__ import annotations

import numpy as np

from stillwatch_schemas.sketch.hashing import CONTENT, PLAIN, TOKEN_BITS

CELLS = 4_096
MAX_CELLS = 4

_CONTENT_FLOOR = CONTENT << TOKEN_BITS
_RANK = np.uint64(TOKEN_BITS)
_THREE, _MIX, _UPPER = np.uint64(3), np.uint64(0x9E3779B97F4A7C15), np.uint64(34)


def topic_cells(distinct: list[int], in_order: list[int], unspaced: bool) -> tuple[int, ...]:
    """Up to four cells, ascending: from the distinct token values (ascending), in unspaced scripts also from pairs."""
    best = [value for value in distinct[-MAX_CELLS:] if value >= _CONTENT_FLOOR]
    if unspaced and len(best) < MAX_CELLS:
        best += _character_pairs(in_order)[len(best) - MAX_CELLS :]
    return tuple(sorted({value % CELLS for value in best}))


def _character_pairs(in_order: list[int]) -> list[int]:
    """Distinct mixed hashes of neighbouring single characters, ascending, function characters left out."""
    values = np.array(in_order, dtype=np.uint64)
    plain = values >> _RANK == PLAIN
    left, right = values[:-1], values[1:]
    mixed: list[int] = np.unique(((left * _THREE + right) * _MIX >> _UPPER)[plain[:-1] & plain[1:]])[
        -MAX_CELLS:
    ].tolist()
    return mixed
