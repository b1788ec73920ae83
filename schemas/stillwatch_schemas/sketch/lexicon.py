"""How strongly a text asks for reasoning, for grading, or for what safety training forbids.

Phrases of our own in English, Chinese, German, French and Spanish. A phrase matches as a run of tokens, so case,
punctuation, line breaks and invisible characters do not matter; `#` stands for any number, `*` for up to three words.
A score is 1 - exp(-sum of the weights of the distinct phrases found): 0.25 is a hint, 0.7 a request, 1.6 unmistakable.
What evades it: paraphrase, other languages, spelling mistakes, asking in a later turn. Benign look-alikes: homework,
evaluation harnesses, judges; that is why no detector may act on these scores alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from stillwatch_schemas.sketch.normalise import tokenise
from stillwatch_schemas.sketch.phrases import ELICITATION, GRADING, PROBING
from stillwatch_schemas.sketch.words import FUNCTION_WORDS

_WILD = {"#": r" [0-9]+", "*": r"(?: [^ ]+){0,3}?"}


class _Phrase(NamedTuple):
    group: int
    weight: int
    """In hundredths."""
    needed: frozenset[int]
    """Hashes of its words: a text that lacks one cannot hold it."""
    found_in: Callable[[str], object]


class Scores(NamedTuple):
    """The three lexicon scores, each 0 to 1."""

    elicitation: float = 0.0
    grading: float = 0.0
    probing: float = 0.0

    def max(self, other: Scores) -> Scores:
        """The greater of both, score by score."""
        return Scores(*map(max, self, other))


_NOTHING = Scores()


class Lexicon:
    """Looks for a phrase only where all its words occur, of which the most telling one is looked for first.

    Words are compared by their keyed hashes, which the sketch needs anyway: ordinary text costs one set intersection.
    """

    def __init__(self, hash_of: Callable[[str], int]) -> None:
        self._hash_of = hash_of
        self._words: dict[int, list[tuple[int, int]]] = {}
        """Phrases of one word: group and weight."""
        self._by_anchor: dict[int, list[_Phrase]] = {}
        """All others, under their most telling word."""
        for group, lists in enumerate((ELICITATION, GRADING, PROBING)):
            for weight, phrases in lists.items():
                for phrase in phrases.split("|"):
                    self._add(group, round(100 * weight), phrase)
        self._telling = frozenset(self._words.keys() | self._by_anchor.keys())

    def _add(self, group: int, weight: int, phrase: str) -> None:
        parts = [part for word in phrase.split() for part in ([word] if word in _WILD else tokenise(word))]
        if len(parts) == 1:
            self._words.setdefault(self._hash_of(parts[0]), []).append((group, weight))
            return
        anchor = max(parts, key=lambda part: (part not in _WILD, part not in FUNCTION_WORDS, len(part)))
        needed = frozenset(self._hash_of(part) for part in parts if part not in _WILD)
        phrases = self._by_anchor.setdefault(self._hash_of(anchor), [])
        phrases.append(_Phrase(group, weight, needed, _finder(parts)))

    def scores(self, tokens: list[str], distinct: AbstractSet[int]) -> Scores:
        """The scores of a tokenised text; `distinct` are the hashes of its tokens."""
        telling = self._telling & distinct
        if not telling:
            return _NOTHING
        sums = [0, 0, 0]
        line = ""
        for word in telling:
            for group, weight in self._words.get(word, ()):
                sums[group] += weight
            for group, weight, needed, found_in in self._by_anchor.get(word, ()):
                if needed <= distinct:
                    line = line or f" {' '.join(tokens)} "
                    if found_in(line):
                        sums[group] += weight
        return Scores(*map(_saturate, sums)) if any(sums) else _NOTHING


def _saturate(hundredths: int) -> float:
    """0 to 1 from a sum of weights, which is kept in whole hundredths: the same in any order of addition."""
    return round(1.0 - math.exp(-hundredths / 100), 3) if hundredths else 0.0


def _finder(parts: list[str]) -> Callable[[str], object]:
    """A search in ` token token ... `: a plain substring, or a pattern when there are gaps or numbers."""
    if _WILD.keys().isdisjoint(parts):
        needle = f" {' '.join(parts)} "
        return lambda line: needle in line
    return re.compile("".join(_WILD.get(part, f" {re.escape(part)}") for part in parts) + r"(?= )").search
