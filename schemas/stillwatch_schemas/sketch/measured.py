"""What is measured of a prompt: of one alone, or of many at once, with equal results (a test holds them so).

Alone, tokens are strings, and NumPy is used where it pays for fifty of them. Of many, NumPy has all tokens of all texts
at once, and hardly anything is done for a single one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress

import numpy as np

from stillwatch_schemas.sketch.edges import NO_EDGES, Edges, edge_hashes, edges_of_many
from stillwatch_schemas.sketch.hashing import TextHash, TokenHashes
from stillwatch_schemas.sketch.lexicon import NO_SCORES, Lexicon, Scores
from stillwatch_schemas.sketch.marks import MARK_BITS, mark_bits, marks_of, marks_of_many, style_of
from stillwatch_schemas.sketch.measures import HAN, KANA_OR_HANGUL, OTHER, code_share, code_shares, script_of
from stillwatch_schemas.sketch.normalise import READ_CHARS, normalise, normalise_many
from stillwatch_schemas.sketch.projection import Projector, bags_of, distinct
from stillwatch_schemas.sketch.template import skeleton
from stillwatch_schemas.sketch.topics import cells_of_many, topic_cells
from stillwatch_schemas.sketch.vocabulary import VALUE, Tokens, Vocabulary

_UNSPACED_SCRIPTS = frozenset({HAN, KANA_OR_HANGUL, OTHER})

OfTokens = tuple[Edges, int, tuple[int, ...], tuple[int, ...], bytes, Scores]
"""Edges, first person and greeting, cells, MinHash, embedding, scores."""

Measured = tuple[int, int, int, int, int, float, OfTokens]
"""Words, text hash, template, style, script, code share."""

_WITHOUT_TOKENS: OfTokens = (NO_EDGES, 0, (), (), b"", NO_SCORES)


class Measurer:
    """Everything that is measured under one key."""

    def __init__(self, key: bytes) -> None:
        self._hashes = TokenHashes(key)
        self._text_hash = TextHash(key, b"text")
        self._template_hash = TextHash(key, b"template")
        self._projector = Projector(key)
        self._mark = self._projector.mark.astype(VALUE).tobytes()
        self._lexicon = Lexicon()
        self._vocabulary = Vocabulary(self._hashes, self._traits)

    def _traits(self, token: str) -> int:
        """What is noted of a token beside its hash: its marks, and in the bits above its number in the lexicon."""
        return mark_bits(token) | self._lexicon.number(token) << MARK_BITS

    def template(self, text: str) -> int:
        """The keyed hash of a normalised text's skeleton."""
        return self._template_hash(skeleton(text).encode("utf-8", "surrogatepass"))

    def scores(self, tokens: list[str]) -> Scores:
        """The lexicon scores of a tokenised text."""
        return self._lexicon.scores(tokens)

    def one(self, prompt: str) -> Measured:
        """What is measured of a prompt."""
        text, folded, tokens = normalise(prompt)
        script = script_of(text)
        of_tokens = self._of_tokens(tokens, script) if tokens else _WITHOUT_TOKENS
        return (
            len(tokens),
            self._text_hash(_verbatim(prompt, folded)),
            self.template(text),
            style_of(text, of_tokens[1]),
            script,
            code_share(text),
            of_tokens,
        )

    def _of_tokens(self, tokens: list[str], script: int) -> OfTokens:
        stream = np.frombuffer(b"%b%b%b" % (self._mark, self._hashes.joined(tokens), self._mark), dtype=VALUE)
        values = stream[1:-1]
        words = distinct(np.sort(values))
        minhash, embedding = self._projector.project_one(stream, words)
        return (
            edge_hashes(tokens, values),
            marks_of(tokens),
            topic_cells(values, words, unspaced=script in _UNSPACED_SCRIPTS),
            minhash,
            embedding,
            self._lexicon.scores(tokens),
        )

    def many(self, prompts: list[str]) -> Iterator[Measured]:
        """What is measured of each prompt, part by part: one short piece of code at a time stays in the caches."""
        if not prompts:
            return iter(())
        texts, folded, words = normalise_many(prompts)
        tokens = self._vocabulary.tokens(words)
        scripts = list(map(script_of, texts))
        following = iter(self._of_many_tokens(tokens, words, scripts))
        of_tokens = [next(following) if count else _WITHOUT_TOKENS for count in tokens.counts]
        return zip(
            tokens.counts,
            map(self._text_hash, map(_verbatim, prompts, folded)),
            map(self.template, texts),
            [style_of(text, marks) for text, (_, marks, *_) in zip(texts, of_tokens, strict=True)],
            scripts,
            code_shares(texts),
            of_tokens,
            strict=True,
        )

    def _of_many_tokens(self, tokens: Tokens, words: list[bytes], scripts: list[int]) -> Iterator[OfTokens]:
        """Of each text that has tokens."""
        if not len(tokens.starts):
            return iter(())
        if len(tokens.starts) < len(words):
            words, scripts = list(compress(words, tokens.counts)), list(compress(scripts, tokens.counts))
        bags = bags_of(tokens, self._projector.mark)
        return zip(
            edges_of_many(tokens),
            marks_of_many(tokens),
            cells_of_many(tokens, bags, list(map(_UNSPACED_SCRIPTS.__contains__, scripts))),
            *self._projector.project(bags),
            self._lexicon.scores_of_many((tokens.traits >> np.uint64(MARK_BITS)).astype(np.intp), tokens.owners, words),
            strict=True,
        )


def _verbatim(prompt: str, folded: bytes) -> bytes:
    """What the text hash covers: for a clipped text also its length, so that texts of equal ends differ."""
    return folded if len(prompt) <= READ_CHARS else folded + f"\n{len(prompt)}".encode()
