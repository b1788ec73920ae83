"""How a text opens and closes: hashes of its first and last tokens, numbers masked.

`lead` and `tail`, of the first and last four, stay equal when a template's slots are refilled; `opening` is the hash of
the first token alone, which tells a fixed task word ("Translate").
"""

from __future__ import annotations

from operator import mul
from typing import Final

import numpy as np

from stillwatch_schemas.sketch.hashing import HASH_BITS
from stillwatch_schemas.sketch.marks import NUMBER
from stillwatch_schemas.sketch.vocabulary import U64, Indices, Tokens, constant

EDGE_TOKENS: Final = 4

_MASK: Final = (1 << HASH_BITS) - 1
# One for each place, so that order counts: the sum modulo a prime mixes four keyed hashes without a loop.
_PRIME_BITS: Final = 61
_PRIME: Final = (1 << _PRIME_BITS) - 1
_MULTIPLIERS: Final = tuple(
    factor % _PRIME for factor in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93)
)
_NUMBER_HASH: Final = 0x2545F4914F6CDD1D

_HALF, _QUARTER = constant(31), constant(30)
_LOWER, _REST = constant((1 << 31) - 1), constant((1 << 30) - 1)
_FACTORS = np.array(_MULTIPLIERS, dtype=np.uint64)
_UPPER_FACTORS, _LOWER_FACTORS = _FACTORS >> _HALF, _FACTORS & _LOWER
_ONE, _TWO, _HASH = constant(1), constant(2), constant(_MASK)
_MODULUS, _FOLD = constant(_PRIME), constant(_PRIME_BITS)
_NUMBER_MARK, _NUMBER_VALUE = constant(NUMBER), constant(_NUMBER_HASH)
_PLACES = np.arange(EDGE_TOKENS)

Edges = tuple[int, int, int]
"""Hashes of the first token, the first four and the last four, 52 bits each."""

NO_EDGES: Final = (0, 0, 0)
"""Of a text without tokens."""


def edge_hashes(tokens: list[str], values: U64) -> Edges:
    """Of a text's tokens, one at least; `values` are their keyed hashes."""
    head = _masked(tokens[:EDGE_TOKENS], values[:EDGE_TOKENS].tolist())
    tail = _masked(tokens[-EDGE_TOKENS:], values[-EDGE_TOKENS:].tolist())
    return (
        ((head[0] * _MULTIPLIERS[0] + 1) % _PRIME & _MASK) or 1,
        ((sum(map(mul, head, _MULTIPLIERS)) + len(head)) % _PRIME & _MASK) or 1,
        ((sum(map(mul, tail, _MULTIPLIERS)) + len(tail)) % _PRIME & _MASK) or 1,
    )


def _masked(tokens: list[str], values: list[int]) -> list[int]:
    """The values, one and the same for every number."""
    if "".join(tokens).isalpha():
        return values
    return [_NUMBER_HASH if token.isdigit() else value for token, value in zip(tokens, values, strict=True)]


def edges_of_many(tokens: Tokens) -> list[Edges]:
    """The same of each text that has tokens."""
    values = np.where(tokens.traits & _NUMBER_MARK, _NUMBER_VALUE, tokens.values)
    head = _edge(values, tokens.starts, tokens.stops)
    tail = _edge(values, np.maximum(tokens.stops - EDGE_TOKENS, tokens.starts), tokens.stops)
    sums = np.array((head[:, 0], head.sum(axis=1), tail.sum(axis=1)))
    return list(map(tuple, np.maximum(sums % _MODULUS & _HASH, _ONE).T.tolist()))


def _edge(values: U64, starts: Indices, stops: Indices) -> U64:
    """For four tokens from each start what each adds to the sum, 0 where the text has ended."""
    places = starts[:, None] + _PLACES
    terms = _products(values.take(places, mode="clip")) + _ONE
    return terms * (places < stops[:, None])


def _products(values: U64) -> U64:
    """Congruent (modulo 2^61 - 1) to each place's value times its multiplier, and less than 2^61 + 8.

    The product of halves of 31 bits: 2^61 counts as 1, 2^62 as 2, and what stands between is split at 2^30.
    """
    values = _reduced(values)
    upper, lower = values >> _HALF, values & _LOWER
    across = upper * _LOWER_FACTORS + lower * _UPPER_FACTORS
    return _reduced(
        _TWO * upper * _UPPER_FACTORS + lower * _LOWER_FACTORS + (across >> _QUARTER) + ((across & _REST) << _HALF)
    )


def _reduced(values: U64) -> U64:
    return (values & _MODULUS) + (values >> _FOLD)
