"""`lexicon` in compiled code: which phrases a text holds, found by the numbers of its words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stillwatch_schemas.compiled import Number, Record, part
from stillwatch_schemas.sketch.lexicon import ANY_NUMBER, FEW_WORDS, MOST_FEW_WORDS, Lexicon
from stillwatch_schemas.sketch.traits import DIGITS, LEXICON_SHIFT
from stillwatch_schemas.sketch.vocabulary import MOST_WORDS, Places, Words

_NUMBER, _FEW = -1, -2
"""Parts of a phrase that are no words."""
_NOWHERE = -1
GROUPS = 3


class Phrases(NamedTuple):
    """All phrases, ordered by their most telling word, and what is known of the text at hand."""

    table: NDArray[np.void]
    """Group, weight, numbers of words and parts of each phrase."""
    starts: NDArray[np.int32]
    """The first phrase of each most telling word, by number; one more at the end."""
    mentioned_in: NDArray[np.uint64]
    """By number of a word: the last text that held it."""
    first: NDArray[np.int32]
    """By number of a word: which token of that text it is first."""
    mentioned: NDArray[np.int32]
    """The numbers of all such words in this text."""
    following: NDArray[np.int32]
    """By token: where the same word comes next, or `_NOWHERE`."""


def phrases_of(lexicon: Lexicon) -> Phrases:
    """The phrases of a lexicon for compiled code."""
    phrases = sorted(lexicon.phrases, key=lambda phrase: lexicon.number(phrase.words[0]))
    most_words = max(len(phrase.words) for phrase in phrases)
    most_parts = max(len(phrase.parts) for phrase in phrases)
    table = np.zeros(
        len(phrases),
        np.dtype(
            [
                ("group", "u1"),
                ("weight", "<i4"),
                ("words", "<i4", most_words),
                ("parts", "<i4", most_parts),
                ("opening", "<i4"),
                ("size", "u1"),
            ]
        ),
    )
    for row, phrase in zip(table, phrases, strict=True):
        row["group"], row["weight"], row["size"] = phrase.group, phrase.weight, len(phrase.parts)
        row["opening"] = lexicon.number("1" if phrase.parts[0] == ANY_NUMBER else phrase.parts[0])
        row["words"][: len(phrase.words)] = list(map(lexicon.number, phrase.words))
        row["parts"][: len(phrase.parts)] = [_part_of(part, lexicon) for part in phrase.parts]
    numbers = np.arange(lexicon.greatest_number + 2)
    starts = np.searchsorted(table["words"][:, 0], numbers).astype(np.int32)
    first, mentioned = np.zeros((2, len(numbers)), np.int32)
    return Phrases(table, starts, np.zeros(len(numbers), np.uint64), first, mentioned, np.zeros(MOST_WORDS, np.int32))


def _part_of(part: str, lexicon: Lexicon) -> int:
    return {ANY_NUMBER: _NUMBER, FEW_WORDS: _FEW}.get(part) or lexicon.number(part)


@part
def search(phrases: Phrases, words: Words, places: Places, text: Number, sums: NDArray[np.int64]) -> None:
    """Add up, by group, the weights of the phrases in a text; `text` is a number no other has."""
    for group in range(GROUPS):
        sums[group] = 0
    for number in phrases.mentioned[: _mention(phrases, words, places, text)]:
        for at in range(phrases.starts[number], phrases.starts[number + 1]):
            phrase = phrases.table[at]
            if _all_mentioned(phrase, phrases.mentioned_in, text) and _holds(phrase, phrases, words, places):
                sums[phrase.group] += phrase.weight


@part
def _mention(phrases: Phrases, words: Words, places: Places, text: Number) -> int:
    """Note the text's words that occur in any phrase, and where; how many there are."""
    count = 0
    for at in range(len(places) - 1, -1, -1):
        number = words[places[at]].traits >> LEXICON_SHIFT
        if number == 0:
            continue
        phrases.following[at] = phrases.first[number]
        if phrases.mentioned_in[number] != text:
            phrases.mentioned_in[number] = text
            phrases.following[at] = _NOWHERE
            phrases.mentioned[count] = number
            count += 1
        phrases.first[number] = at
    return count


@part
def _all_mentioned(phrase: Record, mentioned_in: NDArray[np.uint64], text: Number) -> bool:
    for number in phrase.words:
        if number == 0:
            break
        if mentioned_in[number] != text:
            return False
    return True


@part
def _holds(phrase: Record, phrases: Phrases, words: Words, places: Places) -> bool:
    if phrase.size == 1:
        return True
    at = phrases.first[phrase.opening]
    while at != _NOWHERE:
        if _stands_at(phrase, words, places[at:]):
            return True
        at = phrases.following[at]
    return False


@part
def _stands_at(phrase: Record, words: Words, places: Places) -> bool:
    """Whether the phrase begins with the first token.

    Bit i of `ends`: the parts seen so far may end before token i. A phrase spans far less than 64 tokens.
    """
    ends = 1
    for at in range(phrase.size):
        part = phrase.parts[at]
        if part == _FEW:
            for _ in range(MOST_FEW_WORDS):
                ends |= ends << 1
            continue
        follow = 0
        reach = 0
        while ends >> reach and reach < len(places):
            if ends >> reach & 1 and _is(part, words[places[reach]].traits):
                follow |= 1 << reach + 1
            reach += 1
        if follow == 0:
            return False
        ends = follow
    return True


@part
def _is(part: Number, traits: Number) -> Number:
    if part == _NUMBER:
        return traits & DIGITS
    return traits >> LEXICON_SHIFT == part
