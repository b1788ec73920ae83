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
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from stillwatch_schemas.sketch.normalise import tokenise
from stillwatch_schemas.sketch.phrases import ELICITATION, GRADING, PROBING
from stillwatch_schemas.sketch.vocabulary import Indices
from stillwatch_schemas.sketch.words import FUNCTION_WORDS

_WILD = {"#": r" [0-9]+", "*": r"(?: [^ ]+){0,3}?"}


class _Phrase(NamedTuple):
    group: int
    weight: int
    """In hundredths."""
    words: tuple[str, ...]
    """Distinct, the most telling one first: a text that lacks one cannot hold the phrase."""
    numbered: bool
    """Whether it holds a number."""
    found_in: Callable[[str], object] | None
    """None for a phrase of one word, which needs no search."""


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
    """Looks for a phrase only where all its words occur: in one text by sets, in many by a table of words and texts."""

    def __init__(self) -> None:
        self._phrases = sorted(_phrases(), key=lambda phrase: -len(_needed(phrase)))
        self._words = frozenset(word for phrase in self._phrases for word in phrase.words)
        self._numbers = {word: number for number, word in enumerate(["#", *sorted(self._words)], start=1)}
        self._by_telling: dict[str, list[_Phrase]] = {}
        for phrase in self._phrases:
            self._by_telling.setdefault(phrase.words[0], []).append(phrase)
        self._telling = frozenset(self._by_telling)
        self._needed = list(self._columns())

    def _columns(self) -> Iterator[Indices]:
        """The phrases' first words, their second words, and so on: shorter and shorter, as the longest come first."""
        needed = list(map(_needed, self._phrases))
        for place in range(len(needed[0])):
            yield np.array([self._numbers[words[place]] for words in needed if len(words) > place])

    def number(self, token: str) -> int:
        """A number for each word of any phrase, from 1; one for all numbers; 0 for any other token."""
        return self._numbers.get(token) or self._numbers["#"] * token.isdigit()

    def scores(self, tokens: list[str]) -> Scores:
        """The scores of a tokenised text."""
        present = self._words.intersection(tokens)
        possible = [
            phrase
            for word in self._telling & present
            for phrase in self._by_telling[word]
            if present.issuperset(phrase.words)
        ]
        return _scores(possible, " ".join(tokens)) if possible else NO_SCORES

    def scores_of_many(self, words: Indices, owners: Indices, texts: list[bytes]) -> list[Scores]:
        """The scores of texts of tokens in UTF-8, white space between them.

        For each token its number and the text it belongs to.
        """
        present = np.zeros((len(self._numbers) + 1, len(texts)), dtype=np.bool_)
        present[words, owners] = True
        possible = present[self._needed[0]]
        for column in self._needed[1:]:
            possible[: len(column)] &= present[column]
        found: dict[int, list[_Phrase]] = {}
        for at in np.flatnonzero(possible).tolist():
            phrase, text = divmod(at, len(texts))
            found.setdefault(text, []).append(self._phrases[phrase])
        scores = [NO_SCORES] * len(texts)
        for text, phrases in found.items():
            scores[text] = _scores(phrases, texts[text].decode("utf-8", "surrogatepass"))
        return scores


def _phrases() -> Iterator[_Phrase]:
    for group, lists in enumerate((ELICITATION, GRADING, PROBING)):
        for weight, phrases in lists.items():
            for phrase in phrases.split("|"):
                yield _phrase(group, round(100 * weight), phrase)


def _needed(phrase: _Phrase) -> tuple[str, ...]:
    """What a text must hold to hold the phrase."""
    return (*phrase.words, "#") if phrase.numbered else phrase.words


def _phrase(group: int, weight: int, phrase: str) -> _Phrase:
    parts = [part for word in phrase.split() for part in ([word] if word in _WILD else tokenise(word))]
    telling = sorted(set(parts) - _WILD.keys(), key=lambda word: (word in FUNCTION_WORDS, -len(word), word))
    return _Phrase(group, weight, tuple(telling), "#" in parts, _finder(parts) if len(parts) > 1 else None)


def _scores(possible: Iterable[_Phrase], words: str) -> Scores:
    """The scores of a text; `words` are its tokens, white space between them."""
    sums, line = [0, 0, 0], ""
    for group, weight, _, _, found_in in possible:
        if found_in is not None:
            line = line or f" {' '.join(words.split())} "
            if not found_in(line):
                continue
        sums[group] += weight
    return Scores(*map(_saturate, sums)) if any(sums) else NO_SCORES


def _saturate(hundredths: int) -> float:
    """0 to 1 from a sum of weights, which is kept in whole hundredths: the same in any order of addition."""
    return round(1.0 - math.exp(-hundredths / 100), 3) if hundredths else 0.0


def _finder(parts: list[str]) -> Callable[[str], object]:
    """A search in ` token token ... `: a plain substring, or a pattern when there are gaps or numbers."""
    if _WILD.keys().isdisjoint(parts):
        needle = f" {' '.join(parts)} "
        return lambda line: needle in line
    return re.compile("".join(_WILD.get(part, f" {re.escape(part)}") for part in parts) + r"(?= )").search
