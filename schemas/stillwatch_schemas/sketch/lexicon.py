"""How strongly a text asks for reasoning, for grading, or for what safety training forbids.

Phrases of our own in English, Chinese, German, French and Spanish. A phrase matches as a run of tokens, so case,
punctuation, line breaks and invisible characters do not matter; `#` stands for any number, `*` for up to three words.
A score is 1 - exp(-sum of the weights of the distinct phrases found): 0.25 is a hint, 0.7 a request, 1.6 unmistakable.
What evades it: paraphrase, other languages, spelling mistakes, asking in a later turn. Benign look-alikes: homework,
evaluation harnesses, judges; that is why no detector may act on these scores alone.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from stillwatch_schemas.sketch.normalise import tokenise
from stillwatch_schemas.sketch.phrases import ELICITATION, GRADING, PROBING
from stillwatch_schemas.sketch.words import FUNCTION_WORDS

ANY_NUMBER, FEW_WORDS, MOST_FEW_WORDS = "#", "*", 3
_WILD = {ANY_NUMBER: r" [0-9]+", FEW_WORDS: rf"(?: [^ ]+){{0,{MOST_FEW_WORDS}}}?"}


class Phrase(NamedTuple):
    """One phrase of one of the lists."""

    group: int
    """Which of the scores it adds to."""
    weight: int
    """In hundredths."""
    words: tuple[str, ...]
    """Distinct, the most telling one first: a text that lacks one cannot hold the phrase."""
    parts: tuple[str, ...]
    """Words, ANY_NUMBER and FEW_WORDS, in order."""
    found_in: Callable[[str], object]
    """Looks for it in ` token token ... `."""


class Scores(NamedTuple):
    """The three lexicon scores, each 0 to 1."""

    elicitation: float = 0.0
    grading: float = 0.0
    probing: float = 0.0

    def max(self, other: Scores) -> Scores:
        """The greater of both, score by score."""
        return Scores(*map(max, self, other))


NO_SCORES = Scores()


class Lexicon:
    """Looks for a phrase only where all its words occur."""

    def __init__(self) -> None:
        self.phrases = list(_phrases())
        self._words = frozenset(word for phrase in self.phrases for word in phrase.words)
        self._numbers = {word: number for number, word in enumerate([ANY_NUMBER, *sorted(self._words)], start=1)}
        self._by_telling: dict[str, list[Phrase]] = {}
        for phrase in self.phrases:
            self._by_telling.setdefault(phrase.words[0], []).append(phrase)
        self._telling = frozenset(self._by_telling)

    @property
    def greatest_number(self) -> int:
        """Of all that `number` gives."""
        return len(self._numbers)

    def number(self, token: str) -> int:
        """A number for each word of any phrase, from 1; one for all numbers; 0 for any other token."""
        return self._numbers.get(token) or self._numbers[ANY_NUMBER] * token.isdigit()

    def scores(self, tokens: list[str]) -> Scores:
        """The scores of a tokenised text."""
        present = self._words.intersection(tokens)
        possible = [
            phrase
            for word in self._telling & present
            for phrase in self._by_telling[word]
            if present.issuperset(phrase.words)
        ]
        return _scores(possible, f" {' '.join(tokens)} ") if possible else NO_SCORES


def _phrases() -> Iterator[Phrase]:
    for group, lists in enumerate((ELICITATION, GRADING, PROBING)):
        for weight, phrases in lists.items():
            for phrase in phrases.split("|"):
                yield _phrase(group, round(100 * weight), phrase)


def _phrase(group: int, weight: int, phrase: str) -> Phrase:
    parts = [part for word in phrase.split() for part in ([word] if word in _WILD else tokenise(word))]
    telling = sorted(set(parts) - _WILD.keys(), key=lambda word: (word in FUNCTION_WORDS, -len(word), word))
    return Phrase(group, weight, tuple(telling), tuple(parts), _finder(parts))


def _scores(possible: Iterable[Phrase], line: str) -> Scores:
    sums = [0, 0, 0]
    for phrase in possible:
        if phrase.found_in(line):
            sums[phrase.group] += phrase.weight
    return saturated(sums)


def saturated(hundredths: Sequence[int]) -> Scores:
    """The scores from the sums of weights of the phrases found."""
    return Scores(*map(_saturate, hundredths)) if any(hundredths) else NO_SCORES


@functools.lru_cache(maxsize=1_024)
def _saturate(hundredths: int) -> float:
    """0 to 1 from a sum of weights, which is kept in whole hundredths: the same in any order of addition."""
    return round(1.0 - math.exp(-hundredths / 100), 3) if hundredths else 0.0


def _finder(parts: list[str]) -> Callable[[str], object]:
    """A search in ` token token ... `: a plain substring, or a pattern when there are gaps or numbers."""
    if _WILD.keys().isdisjoint(parts):
        needle = f" {' '.join(parts)} "
        return lambda line: needle in line
    return re.compile("".join(_WILD.get(part, f" {re.escape(part)}") for part in parts) + r"(?= )").search
