"""Texts to sketches: where the parts meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from stillwatch_schemas.events import RequestEvent, Sketch
from stillwatch_schemas.sketch.hashing import MIN_KEY_BYTES, TextHash, TokenHashes
from stillwatch_schemas.sketch.lexicon import Lexicon, Scores
from stillwatch_schemas.sketch.marks import Edges, Style, edge_hashes
from stillwatch_schemas.sketch.measures import HAN, KANA_OR_HANGUL, OTHER, code_share, script_of
from stillwatch_schemas.sketch.normalise import READ_CHARS, Normal, normalise
from stillwatch_schemas.sketch.projection import Projector, Vectors
from stillwatch_schemas.sketch.template import skeleton
from stillwatch_schemas.sketch.topics import topic_cells

__all__ = ["MIN_KEY_BYTES", "SKETCH_VERSION", "Sketcher", "with_sketch"]

SKETCH_VERSION = 1
"""Raise it whenever a sketch of some text changes: sketches of different versions are not compared."""

_CHUNK_TEXTS, _CHUNK_CHARS = 128, 65_536
_SYSTEM_PROMPTS, _SYSTEM_CHARS = 1_024, 4_096
_UNSPACED_SCRIPTS = frozenset({HAN, KANA_OR_HANGUL, OTHER})

Texts = tuple[str | None, str | None]
"""Prompt and system prompt."""


_Measured = tuple[int, int, int, Edges, int, tuple[int, ...], Vectors, int, Scores, float]
"""Words, text hash, template, edges, style, cells, vectors, script, scores, code share."""


class _System(NamedTuple):
    template: int
    scores: Scores


_NO_SCORES = Scores()
_NO_VECTORS: Vectors = ((), b"")
_NO_SYSTEM = _System(0, _NO_SCORES)


class Sketcher:
    """Computes sketches under one key; the same key must be used by all emitters and workers of a deployment.

    Raises ConfigError for a key of less than 16 bytes. Not safe for use by several threads at once. Remembers the
    hashes of up to 65,536 words and the results of 1,024 system prompts (about 10 MB), which never changes a result.
    """

    def __init__(self, key: bytes) -> None:
        self._tokens = TokenHashes(key)
        self._text_hash = TextHash(key, b"text")
        self._template_hash = TextHash(key, b"template")
        self._projector = Projector(key)
        self._lexicon = Lexicon(self._tokens.__getitem__)
        self._style = Style(self._tokens.__getitem__)
        self._systems: dict[str, _System] = {}

    def sketch(self, prompt: str | None, system_prompt: str | None = None) -> Sketch | None:
        """The sketch of one request's texts, None when there is neither; any string is fine."""
        system = self._system(system_prompt) if system_prompt else _NO_SYSTEM
        if prompt is not None:
            return _complete(len(prompt), self._measure_one(prompt), system)
        return None if system_prompt is None else _of_system(system)

    def sketch_many(self, texts: Sequence[Texts]) -> list[Sketch | None]:
        """What `sketch` gives for each pair of prompt and system prompt, at a lower cost each."""
        sketches: list[Sketch | None] = []
        for chunk in _chunks(texts):
            sketches += self._sketch_chunk(chunk)
        return sketches

    def _sketch_chunk(self, texts: Sequence[Texts]) -> list[Sketch | None]:
        measured = self._measure([prompt for prompt, _ in texts if prompt is not None])
        sketches: list[Sketch | None] = []
        for prompt, system_prompt in texts:
            system = self._system(system_prompt) if system_prompt else _NO_SYSTEM
            if prompt is not None:
                sketches.append(_complete(len(prompt), next(measured), system))
            else:
                sketches.append(None if system_prompt is None else _of_system(system))
        return sketches

    def _measure(self, prompts: list[str]) -> Iterator[_Measured]:
        """What is measured of each prompt, part by part: one short piece of code at a time stays in the caches."""
        normals = list(map(normalise, prompts))
        tokens = [normal.tokens for normal in normals]
        texts = [normal.text for normal in normals]
        values = [list(map(self._tokens.__getitem__, each)) for each in tokens]
        distinct = list(map(set, values))
        ascending = list(map(sorted, distinct))
        vectors = self._vectors(values, ascending)
        scripts = list(map(script_of, texts))
        return zip(
            map(len, values),
            map(self._text_hash, map(_verbatim, prompts, normals)),
            [self._template_hash(skeleton(text).encode("utf-8", "surrogatepass")) for text in texts],
            list(map(edge_hashes, tokens, values)),
            list(map(self._style, texts, tokens, distinct)),
            map(topic_cells, ascending, values, map(_UNSPACED_SCRIPTS.__contains__, scripts)),
            vectors,
            scripts,
            list(map(self._lexicon.scores, tokens, distinct)),
            list(map(code_share, texts)),
            strict=True,
        )

    def _measure_one(self, prompt: str) -> _Measured:
        """What `_measure` gives for one prompt, without the lists, which would cost a sixth more."""
        normal = normalise(prompt)
        text, tokens = normal.text, normal.tokens
        values = list(map(self._tokens.__getitem__, tokens))
        distinct = set(values)
        ascending = sorted(distinct)
        script = script_of(text)
        return (
            len(values),
            self._text_hash(_verbatim(prompt, normal)),
            self._template_hash(skeleton(text).encode("utf-8", "surrogatepass")),
            edge_hashes(tokens, values),
            self._style(text, tokens, distinct),
            topic_cells(ascending, values, script in _UNSPACED_SCRIPTS),
            self._vectors([values], [ascending])[0],
            script,
            self._lexicon.scores(tokens, distinct),
            code_share(text),
        )

    def _vectors(self, values: list[list[int]], distinct: list[list[int]]) -> list[Vectors]:
        """MinHash and embedding of each text; empty without tokens."""
        bags = self._projector.bags()
        for of_text, distinct_of_text in zip(values, distinct, strict=True):
            if of_text:
                bags.add(of_text, distinct_of_text)
        if not bags.weights:
            return [_NO_VECTORS] * len(values)
        vectors = self._projector.project(bags)
        if len(vectors) == len(values):
            return vectors
        following = iter(vectors)
        return [next(following) if of_text else _NO_VECTORS for of_text in values]

    def _system(self, system_prompt: str) -> _System:
        known = self._systems.get(system_prompt)
        if known is not None:
            return known
        normal = normalise(system_prompt)
        scores = self._lexicon.scores(normal.tokens, set(map(self._tokens.__getitem__, normal.tokens)))
        system = _System(self._template_hash(skeleton(normal.text).encode("utf-8", "surrogatepass")), scores)
        if len(system_prompt) <= _SYSTEM_CHARS:
            if len(self._systems) >= _SYSTEM_PROMPTS:
                self._systems.clear()
            self._systems[system_prompt] = system
        return system


def with_sketch(event: RequestEvent, sketcher: Sketcher, *, strip_text: bool = True) -> RequestEvent:
    """The event with a sketch, computed when absent, and (unless `strip_text` is false) without its texts.

    An emitter's sketch is kept as it is. `prompt_chars` is filled in from the text where the emitter left it out.
    """
    if event.prompt is None and event.system_prompt is None:
        return event
    changes: dict[str, Any] = {"sketch": event.sketch or sketcher.sketch(event.prompt, event.system_prompt)}
    if event.prompt is not None and event.prompt_chars is None:
        changes["prompt_chars"] = len(event.prompt)
    if strip_text:
        changes |= {"prompt": None, "system_prompt": None}
    return msgspec.structs.replace(event, **changes)


def _chunks(texts: Sequence[Texts]) -> Iterator[Sequence[Texts]]:
    """Stretches that fit in the processor's caches, whatever the lengths of the texts."""
    start = chars = 0
    for end, (prompt, _) in enumerate(texts, start=1):
        chars += min(len(prompt or ""), READ_CHARS)
        if end - start == _CHUNK_TEXTS or chars > _CHUNK_CHARS:
            yield texts[start:end]
            start, chars = end, 0
    if start < len(texts):
        yield texts[start:]


def _verbatim(prompt: str, normal: Normal) -> bytes:
    """What the text hash covers: for a clipped text also its length, so that texts of equal ends differ."""
    return normal.folded if len(prompt) <= READ_CHARS else normal.folded + f"\n{len(prompt)}".encode()


def _complete(chars: int, measured: _Measured, system: _System) -> Sketch:
    words, text_hash, template, (opening, lead, tail), style, cells, (minhash, embedding), script, scores, code = (
        measured
    )
    if system.scores != _NO_SCORES:
        scores = scores.max(system.scores)
    elicitation, grading, probing = scores
    return Sketch(
        v=SKETCH_VERSION,
        chars=chars,
        words=words,
        text_hash=text_hash,
        template=template,
        system_template=system.template,
        opening=opening,
        lead=lead,
        tail=tail,
        style=style,
        minhash=minhash,
        cells=cells,
        embedding=embedding,
        script=script,
        elicitation=elicitation,
        grading=grading,
        probing=probing,
        code=code,
    )


def _of_system(system: _System) -> Sketch:
    elicitation, grading, probing = system.scores
    return Sketch(
        v=SKETCH_VERSION,
        system_template=system.template,
        elicitation=elicitation,
        grading=grading,
        probing=probing,
    )
