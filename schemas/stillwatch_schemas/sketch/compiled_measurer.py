"""What `measured` measures of tokens, compiled: a few microseconds a text, without a Python object for any token."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stillwatch_schemas.compiled import Number, compiled, part
from stillwatch_schemas.sketch import phrase_search, token_edges, token_vectors
from stillwatch_schemas.sketch.compiled_characters import words_of
from stillwatch_schemas.sketch.edges import EDGE_TOKENS
from stillwatch_schemas.sketch.hashing import TokenHash, subkey
from stillwatch_schemas.sketch.lexicon import saturated
from stillwatch_schemas.sketch.marks import FIRST_PERSON, GREETING_TOKENS, GREETS, style_of
from stillwatch_schemas.sketch.measured import OF_NO_WORDS, Measured, Measurer, OfWords, verbatim
from stillwatch_schemas.sketch.measures import OTHER, UNSPACED_SCRIPTS, code_shares, script_of
from stillwatch_schemas.sketch.normalise import SEPARATOR, UNSPACED_SEPARATOR, normalise_many
from stillwatch_schemas.sketch.phrase_search import GROUPS, Phrases
from stillwatch_schemas.sketch.projection import DIMENSIONS, MINHASHES, Projector
from stillwatch_schemas.sketch.topics import MAX_CELLS
from stillwatch_schemas.sketch.traits import traits_of
from stillwatch_schemas.sketch.vocabulary import MOST_WORDS, Bytes, Places, Vocabulary, Words, look_up

_MOST_TEXTS, _MOST_BYTES = 256, 2 * MOST_WORDS
"""Measured at a time: no more words than the vocabulary remembers. One text is always less."""
_FEW = 4
"""Fewer texts than these cost less one by one."""
_MOST_UNKNOWN = 4_096
"""Unknown words that are learned at a time."""
_END_OF = [UNSPACED_SEPARATOR if script in UNSPACED_SCRIPTS else SEPARATOR for script in range(OTHER + 1)]
_EARLY_MARKS = FIRST_PERSON | GREETS
# Columns of what is measured of a text.
_COUNT, _OPENING, _LEAD, _TAIL, _MARKS, _SCORES = range(6)
_CELLS = _SCORES + GROUPS
_MINHASH = _CELLS + 1 + MAX_CELLS
_COLUMNS = _MINHASH + MINHASHES


class _Desk(NamedTuple):
    """What compiled code works with: constants, then room."""

    vectors: NDArray[np.void]
    phrases: Phrases
    serial: NDArray[np.uint64]
    """How many texts were measured."""
    places: Places
    """Of the tokens, in the vocabulary."""
    texts: Places
    """For each text one past its last token, and 1 for a script without spaces."""
    unknown: Places
    """Spans of words that are not in the vocabulary."""
    numbers: NDArray[np.int64]
    embeddings: NDArray[np.int8]


class CompiledMeasurer(Measurer):
    """Equal to `PlainMeasurer`."""

    _words_of = staticmethod(words_of)

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self._token_hash = TokenHash(key)
        self._vocabulary = Vocabulary(int.from_bytes(subkey(key, b"vocabulary")[:8]))
        self._desk = _Desk(
            vectors=token_vectors.vectors_of(Projector(key)),
            phrases=phrase_search.phrases_of(self._lexicon),
            serial=np.zeros(1, np.uint64),
            places=np.empty(MOST_WORDS, np.int32),
            texts=np.empty((_MOST_TEXTS, 2), np.int32),
            unknown=np.empty((_MOST_UNKNOWN, 2), np.int32),
            numbers=np.empty((_MOST_TEXTS, _COLUMNS), np.int64),
            embeddings=np.empty((_MOST_TEXTS, DIMENSIONS), np.int8),
        )
        self.one("déjà vu")  # compiles what is compiled, or finds it in the cache, before a prompt has to wait for it

    def many(self, prompts: list[str]) -> Iterator[Measured]:
        """Part by part: one short piece of code at a time stays in the processor's caches."""
        if len(prompts) < _FEW:
            return map(self.one, prompts)
        texts, folded, words = normalise_many(prompts, self._words_of)
        scripts = list(map(script_of, texts))
        of_words = list(self._of_many_words(words, scripts))
        return map(
            Measured,
            map(self._text_hash, map(verbatim, prompts, folded)),
            map(self.template, texts),
            [style_of(text, measured.marks) for text, measured in zip(texts, of_words, strict=True)],
            scripts,
            code_shares(texts),
            of_words,
        )

    def _of_words(self, words: bytes, script: int) -> OfWords:
        self._measure(words + _END_OF[script])
        return _of_words(self._desk.numbers[0].tolist(), self._desk.embeddings[0].tobytes())

    def _of_many_words(self, words: list[bytes], scripts: list[int]) -> Iterator[OfWords]:
        for start, stop in _pieces(list(map(len, words))):
            ends = map(_END_OF.__getitem__, scripts[start:stop])
            self._measure(b"".join(chain.from_iterable(zip(words[start:stop], ends, strict=True))))
            rows, embeddings = self._desk.numbers[: stop - start].tolist(), self._desk.embeddings.tobytes()
            for at, row in enumerate(rows):
                yield _of_words(row, embeddings[at * DIMENSIONS : (at + 1) * DIMENSIONS])

    def _measure(self, data: bytes) -> None:
        codes, vocabulary = np.frombuffer(data, np.uint8), self._vocabulary
        while unknown := _measure(codes, vocabulary.words, vocabulary.spellings, vocabulary.secret, self._desk):
            spellings = list({data[start:stop] for start, stop in self._desk.unknown[:unknown].tolist()})
            tokens = [spelling.decode("utf-8", "surrogatepass") for spelling in spellings]
            traits = [traits_of(token, self._lexicon) for token in tokens]
            vocabulary.learn(spellings, list(map(self._token_hash, tokens)), traits)


def _pieces(sizes: list[int]) -> Iterator[tuple[int, int]]:
    """Stretches of texts of these sizes in bytes that fit on the desk."""
    start = held = 0
    for at, size in enumerate(sizes):
        if at - start == _MOST_TEXTS or held + size + 1 > _MOST_BYTES:
            yield start, at
            start, held = at, 0
        held += size + 1
    yield start, len(sizes)


def _of_words(row: list[int], embedding: bytes) -> OfWords:
    if not row[_COUNT]:
        return OF_NO_WORDS
    first_cell = _CELLS + 1
    return OfWords(
        row[_COUNT],
        (row[_OPENING], row[_LEAD], row[_TAIL]),
        row[_MARKS],
        tuple(row[first_cell : first_cell + row[_CELLS]]),
        tuple(row[_MINHASH:]),
        embedding,
        saturated(row[_SCORES:_CELLS]),
    )


@compiled
def _measure(data: Bytes, words: Words, spellings: Bytes, secret: Number, desk: _Desk) -> Number:
    """How many spans of unknown words stand on the desk; when there are none, everything is measured."""
    unknown, texts = look_up(data, words, spellings, secret, desk.places, desk.texts, desk.unknown)
    if unknown:
        return unknown
    start = 0
    for at in range(texts):
        stop = desk.texts[at, 0]
        desk.serial[0] += np.uint64(1)
        _measure_text(words, desk.places[start:stop], desk, at)
        start = stop
    return 0


@part
def _measure_text(words: Words, places: Places, desk: _Desk, at: int) -> None:
    numbers = desk.numbers[at]
    numbers[_COUNT] = len(places)
    numbers[_OPENING] = token_edges.mixed(words, places[:1])
    numbers[_LEAD] = token_edges.mixed(words, places)
    numbers[_TAIL] = token_edges.mixed(words, places[max(len(places) - EDGE_TOKENS, 0) :])
    numbers[_MARKS] = _marks(words, places)
    token_vectors.measure(desk.vectors[0], words, places, desk.serial[0], desk.texts[at, 1])
    token_vectors.put(desk.vectors[0], numbers[_CELLS:], numbers[_MINHASH:], desk.embeddings[at])
    phrase_search.search(desk.phrases, words, places, desk.serial[0], numbers[_SCORES:])


@part
def _marks(words: Words, places: Places) -> Number:
    marks = 0
    for at in range(len(places)):
        marks |= words[places[at]].traits & (_EARLY_MARKS if at < GREETING_TOKENS else FIRST_PERSON)
    return marks
