"""How a text opens and closes: hashes of its first and last tokens, numbers masked.

`lead` and `tail`, of the first and last four, stay equal when a template's slots are refilled; `opening` is the hash of
the first token alone, which tells a fixed task word ("Translate").
"""

from __future__ import annotations

from operator import mul
from typing import Final

from stillwatch_schemas.sketch.hashing import HASH_BITS
from stillwatch_schemas.sketch.projection import U64

EDGE_TOKENS: Final = 4

MASK: Final = (1 << HASH_BITS) - 1
# One for each place, so that order counts: the sum modulo a prime mixes four keyed hashes.
PRIME_BITS: Final = 61
PRIME: Final = (1 << PRIME_BITS) - 1
MULTIPLIERS: Final = tuple(
    factor % PRIME for factor in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93)
)
NUMBER_HASH: Final = 0x2545F4914F6CDD1D
"""Stands for every number."""

Edges = tuple[int, int, int]
"""Hashes of the first token, the first four and the last four, 52 bits each."""

NO_EDGES: Final = (0, 0, 0)
"""Of a text without tokens."""


def edge_hashes(tokens: list[str], values: U64) -> Edges:
    """Of a text's tokens, one at least; `values` are their keyed hashes."""
    head = _masked(tokens[:EDGE_TOKENS], values[:EDGE_TOKENS].tolist())
    tail = _masked(tokens[-EDGE_TOKENS:], values[-EDGE_TOKENS:].tolist())
    return _mixed(head[:1]), _mixed(head), _mixed(tail)


def _masked(tokens: list[str], values: list[int]) -> list[int]:
    return [NUMBER_HASH if token.isdigit() else value for token, value in zip(tokens, values, strict=True)]


def _mixed(values: list[int]) -> int:
    return ((sum(map(mul, values, MULTIPLIERS)) + len(values)) % PRIME & MASK) or 1
