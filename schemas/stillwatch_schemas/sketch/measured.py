"""What is measured of a prompt: here of one after the other in plain Python and NumPy, which says what is meant.

`compiled_measurer` does the same many times faster; a test holds them equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stillwatch_schemas.sketch.characters import words_of
from stillwatch_schemas.sketch.edges import NO_EDGES, Edges, edge_hashes
from stillwatch_schemas.sketch.hashing import TextHash, TokenHashes
from stillwatch_schemas.sketch.lexicon import NO_SCORES, Lexicon, Scores
from stillwatch_schemas.sketch.marks import marks_of, style_of
from stillwatch_schemas.sketch.measures import UNSPACED_SCRIPTS, code_share, script_of
from stillwatch_schemas.sketch.normalise import READ_CHARS, normalise, tokens_of
from stillwatch_schemas.sketch.projection import Projector
from stillwatch_schemas.sketch.template import skeleton
from stillwatch_schemas.sketch.topics import topic_cells


class OfWords(NamedTuple):
    """What is measured of a text's tokens."""

    words: int
    """How many."""
    edges: Edges
    marks: int
    """FIRST_PERSON and GREETS, as a bit mask."""
    cells: tuple[int, ...]
    minhash: tuple[int, ...]
    embedding: bytes
    scores: Scores


OF_NO_WORDS = OfWords(0, NO_EDGES, 0, (), (), b"", NO_SCORES)


class Measured(NamedTuple):
    """What is measured of a prompt."""

    text_hash: int
    template: int
    style: int
    script: int
    code: float
    of_words: OfWords


class Measurer(ABC):
    """Everything that is measured under one key."""

    _words_of = staticmethod(words_of)

    def __init__(self, key: bytes) -> None:
        self._text_hash = TextHash(key, b"text")
        self._template_hash = TextHash(key, b"template")
        self._lexicon = Lexicon()

    def template(self, text: str) -> int:
        """The keyed hash of a normalised text's skeleton."""
        return self._template_hash(skeleton(text).encode("utf-8", "surrogatepass"))

    def scores(self, words: bytes) -> Scores:
        """The lexicon scores of a normalised text's words."""
        return self._lexicon.scores(tokens_of(words))

    def one(self, prompt: str) -> Measured:
        """What is measured of a prompt."""
        text, folded, words = normalise(prompt, self._words_of)
        script = script_of(text)
        of_words = self._of_words(words, script)
        return Measured(
            self._text_hash(verbatim(prompt, folded)),
            self.template(text),
            style_of(text, of_words.marks),
            script,
            code_share(text),
            of_words,
        )

    @abstractmethod
    def many(self, prompts: list[str]) -> Iterator[Measured]:
        """What is measured of each prompt of a chunk, see `sketcher`."""

    @abstractmethod
    def _of_words(self, words: bytes, script: int) -> OfWords: ...


class PlainMeasurer(Measurer):
    """Text by text, token by token."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self._hashes = TokenHashes(key)
        self._projector = Projector(key)
        self._mark = self._projector.mark.astype("<u8").tobytes()

    def many(self, prompts: list[str]) -> Iterator[Measured]:
        """As `one`."""
        return map(self.one, prompts)

    def _of_words(self, words: bytes, script: int) -> OfWords:
        tokens = tokens_of(words)
        if not tokens:
            return OF_NO_WORDS
        stream = np.frombuffer(b"%b%b%b" % (self._mark, self._hashes.joined(tokens), self._mark), dtype="<u8")
        values = stream[1:-1]
        distinct = np.unique(values)
        return OfWords(
            len(tokens),
            edge_hashes(tokens, values),
            marks_of(tokens),
            topic_cells(values, distinct, unspaced=script in UNSPACED_SCRIPTS),
            *self._projector.project(stream, distinct),
            self._lexicon.scores(tokens),
        )


def verbatim(prompt: str, folded: bytes) -> bytes:
    """What the text hash covers: for a clipped text also its length, so that texts of equal ends differ."""
    return folded if len(prompt) <= READ_CHARS else folded + f"\n{len(prompt)}".encode()
