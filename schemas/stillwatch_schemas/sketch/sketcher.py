"""Texts to sketches: where the parts meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from stillwatch_schemas.events import RequestEvent, Sketch
from stillwatch_schemas.sketch.hashing import MIN_KEY_BYTES, TextHash, TokenHashes
from stillwatch_schemas.sketch.lexicon import Lexicon, Scores
from stillwatch_schemas.sketch.marks import edge_hashes, style_of
from stillwatch_schemas.sketch.measures import HAN, KANA_OR_HANGUL, OTHER, code_share, script_of
from stillwatch_schemas.sketch.normalise import READ_CHARS, Normal, normalise
from stillwatch_schemas.sketch.projection import Bags, Projector
from stillwatch_schemas.sketch.template import skeleton
from stillwatch_schemas.sketch.topics import topic_cells

__all__ = ["MIN_KEY_BYTES", "SKETCH_VERSION", "Sketcher", "with_sketch"]

SKETCH_VERSION = 1
"""Raise it whenever a sketch of some text changes: sketches of different versions are not compared."""

_CHUNK_TOKENS = 8_192
_SYSTEM_PROMPTS, _SYSTEM_CHARS = 1_024, 4_096
_UNSPACED_SCRIPTS = frozenset({HAN, KANA_OR_HANGUL, OTHER})

Texts = tuple[str | None, str | None]
"""Prompt and system prompt."""

Vectors = tuple[tuple[int, ...], bytes]
"""MinHash and embedding."""


class _System(NamedTuple):
    template: int
    scores: Scores


_NO_SCORES = Scores()
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
        self._lexicon = Lexicon()
        self._systems: dict[str, _System] = {}

    def sketch(self, prompt: str | None, system_prompt: str | None = None) -> Sketch | None:
        """The sketch of one request's texts, None when there is neither; any string is fine."""
        return self.sketch_many([(prompt, system_prompt)])[0]

    def sketch_many(self, texts: Sequence[Texts]) -> list[Sketch | None]:
        """What `sketch` gives for each pair of prompt and system prompt, at a lower cost each."""
        measured: list[dict[str, Any] | None] = []
        vectors: list[Vectors] = []
        bags = self._projector.bags()
        for prompt, system_prompt in texts:
            measured.append(self._measure(prompt, system_prompt, bags))
            if len(bags.stream) > _CHUNK_TOKENS:
                vectors += self._projector.project(bags)
                bags = self._projector.bags()
        if bags.weights:
            vectors += self._projector.project(bags)
        following = iter(vectors)
        return [None if fields is None else _complete(fields, following) for fields in measured]

    def _measure(self, prompt: str | None, system_prompt: str | None, bags: Bags) -> dict[str, Any] | None:
        """All fields but the vectors; the prompt's tokens are added to `bags` when it has any."""
        if prompt is None and system_prompt is None:
            return None
        fields: dict[str, Any] = {} if prompt is None else self._measure_prompt(prompt, bags)
        system = self._system(system_prompt) if system_prompt else _NO_SYSTEM
        scores = fields.pop("scores", _NO_SCORES)
        if system.scores != _NO_SCORES:
            scores = scores.max(system.scores)
        fields["system_template"] = system.template
        fields["elicitation"], fields["grading"], fields["probing"] = scores
        return fields

    def _measure_prompt(self, prompt: str, bags: Bags) -> dict[str, Any]:
        normal = normalise(prompt)
        values = list(map(self._tokens.__getitem__, normal.tokens))
        distinct = sorted(set(values))
        if values:
            bags.add(values, distinct)
        script = script_of(normal.text)
        edges = edge_hashes(normal.tokens, values)
        return {
            "v": SKETCH_VERSION,
            "chars": len(prompt),
            "words": len(values),
            "text_hash": self._text_hash(_verbatim(prompt, normal)),
            "template": self._template_hash(skeleton(normal.text)),
            "cells": topic_cells(distinct, values, unspaced=script in _UNSPACED_SCRIPTS),
            "opening": edges.opening,
            "lead": edges.lead,
            "tail": edges.tail,
            "style": style_of(normal.text, normal.tokens),
            "script": script,
            "code": code_share(normal.text),
            "scores": self._lexicon.scores(normal.tokens),
        }

    def _system(self, system_prompt: str) -> _System:
        known = self._systems.get(system_prompt)
        if known is not None:
            return known
        normal = normalise(system_prompt)
        system = _System(self._template_hash(skeleton(normal.text)), self._lexicon.scores(normal.tokens))
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


def _verbatim(prompt: str, normal: Normal) -> str:
    """What the text hash covers: for a clipped text also its length, so that texts of equal ends differ."""
    return normal.folded if len(prompt) <= READ_CHARS else f"{normal.folded}\n{len(prompt)}"


def _complete(fields: dict[str, Any], vectors: Iterator[Vectors]) -> Sketch:
    if not fields.get("words"):
        return Sketch(**fields)
    minhash, embedding = next(vectors)
    return Sketch(minhash=minhash, embedding=embedding, **fields)
