"""Texts to sketches: where the parts meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import msgspec

from stillwatch_schemas.events import RequestEvent, Sketch
from stillwatch_schemas.sketch.hashing import MIN_KEY_BYTES
from stillwatch_schemas.sketch.lexicon import NO_SCORES, Scores
from stillwatch_schemas.sketch.measured import Measured, Measurer, PlainMeasurer
from stillwatch_schemas.sketch.normalise import READ_CHARS, normalise

__all__ = ["MIN_KEY_BYTES", "SKETCH_VERSION", "Sketcher", "with_sketch", "with_sketches"]

SKETCH_VERSION = 1
"""Raise it whenever a sketch of some text changes: sketches of different versions are not compared."""

_CHUNK_TEXTS, _CHUNK_CHARS = 256, 131_072
_SYSTEM_PROMPTS, _SYSTEM_CHARS = 1_024, 4_096

Texts = tuple[str | None, str | None]
"""Prompt and system prompt."""


class _System(NamedTuple):
    template: int
    scores: Scores


_NO_SYSTEM = _System(0, NO_SCORES)


class Sketcher:
    """Computes sketches under one key; the same key must be used by all emitters and workers of a deployment.

    Raises ConfigError for a key of less than 16 bytes. Not safe for use by several threads at once. Remembers the
    hashes of some 50,000 words (3 MB; without Numba up to 15 MB) and the results of 1,024 system prompts, which never
    changes a result.
    """

    def __init__(self, key: bytes) -> None:
        self._measurer = measurer_for(key)
        self._systems: dict[str, _System] = {}

    def sketch(self, prompt: str | None, system_prompt: str | None = None) -> Sketch | None:
        """The sketch of one request's texts, None when there is neither; any string is fine."""
        system = self._system(system_prompt) if system_prompt else _NO_SYSTEM
        if prompt is not None:
            return _complete(len(prompt), self._measurer.one(prompt), system)
        return None if system_prompt is None else _of_system(system)

    def sketch_many(self, texts: Sequence[Texts]) -> list[Sketch | None]:
        """What `sketch` gives for each pair of prompt and system prompt, at a lower cost each."""
        sketches: list[Sketch | None] = []
        for chunk in _chunks(texts):
            sketches += self._sketch_chunk(chunk)
        return sketches

    def _sketch_chunk(self, texts: Sequence[Texts]) -> list[Sketch | None]:
        measured = self._measurer.many([prompt for prompt, _ in texts if prompt is not None])
        sketches: list[Sketch | None] = []
        for prompt, system_prompt in texts:
            system = self._system(system_prompt) if system_prompt else _NO_SYSTEM
            if prompt is not None:
                sketches.append(_complete(len(prompt), next(measured), system))
            else:
                sketches.append(None if system_prompt is None else _of_system(system))
        return sketches

    def _system(self, system_prompt: str) -> _System:
        known = self._systems.get(system_prompt)
        if known is not None:
            return known
        normal = normalise(system_prompt)
        system = _System(self._measurer.template(normal.text), self._measurer.scores(normal.words))
        if len(system_prompt) <= _SYSTEM_CHARS:
            if len(self._systems) >= _SYSTEM_PROMPTS:
                self._systems.clear()
            self._systems[system_prompt] = system
        return system


def measurer_for(key: bytes) -> Measurer:
    """Compiled where Numba is installed."""
    if find_spec("numba") is None:
        return PlainMeasurer(key)
    from stillwatch_schemas.sketch.compiled_measurer import CompiledMeasurer  # noqa: PLC0415 - needs Numba, an extra

    return CompiledMeasurer(key)


def with_sketch(event: RequestEvent, sketcher: Sketcher, *, strip_text: bool = True) -> RequestEvent:
    """The event with a sketch, computed when absent, and (unless `strip_text` is false) without its texts.

    An emitter's sketch is kept as it is. `prompt_chars` is filled in from the text where the emitter left it out.
    """
    return with_sketches([event], sketcher, strip_text=strip_text)[0]


def with_sketches(events: Sequence[RequestEvent], sketcher: Sketcher, *, strip_text: bool = True) -> list[RequestEvent]:
    """What `with_sketch` gives for each event, at a lower cost each."""
    missing = [(event.prompt, event.system_prompt) for event in events if event.sketch is None]
    sketches = iter(sketcher.sketch_many(missing))
    return [_sketched(event, event.sketch or next(sketches), strip_text) for event in events]


def _sketched(event: RequestEvent, sketch: Sketch | None, strip_text: bool) -> RequestEvent:
    if event.prompt is None and event.system_prompt is None:
        return event
    changes: dict[str, Any] = {"sketch": sketch}
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


def _complete(chars: int, measured: Measured, system: _System) -> Sketch:
    text_hash, template, style, script, code, of_words = measured
    words, (opening, lead, tail), _, cells, minhash, embedding, scores = of_words
    if system.scores != NO_SCORES:
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
