"""Request events as columns: the last place where Python looks at events one by one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.events import RequestEvent, Sketch

from stillwatch_models.networks import client_code, network_code

CELLS = 4
"""Topic cells a prompt may fall in."""
MINHASHES = 8
"""MinHash values kept of a sketch's sixteen: enough to tell half new from not new."""
EMBEDDING = 32
"""Dimensions of the sketch's random projection."""

NO_SKETCH = Sketch()
_NO_EMBEDDING = bytes(EMBEDDING)
_NO_MINHASH = (0,) * MINHASHES

MS_PER_DAY = 86_400_000
LEAST_ANSWER = 5
"""Output tokens from which on an answer is worth training on; an unknown number counts as enough."""
OPENS_FORMALLY, FIRST_PERSON, GREETS = 1, 2, 4
"""Bits of `Sketch.style`."""

LOWER_32 = 0xFFFF_FFFF

EVENT = np.dtype(
    [
        # where it belongs
        ("row", "i8"),
        ("pane", "i8"),
        ("ts", "i8"),
        ("offset", "i8"),
        ("max_before", "i8"),
        ("event_hash", "i8"),
        ("late", "i1"),
        # what was asked
        ("text_hash", "i8"),
        ("template", "i8"),
        ("opening", "i8"),
        ("lead", "i8"),
        ("tail", "i8"),
        ("minhash", "u4", (MINHASHES,)),
        ("model", "u4"),
        ("conversation", "i8"),
        ("asn", "i8"),
        ("org", "u4"),
        ("payment", "u4"),
        ("client", "u4"),
        ("net", "u4"),
        ("created", "u4"),  # day since 1970 on which the account was created; 0 where unknown
        ("system_template", "u4"),
        ("chars", "i4"),
        ("input_tokens", "i4"),
        ("output_tokens", "i4"),
        ("reasoning_tokens", "i4"),
        ("cells", "i2", (CELLS,)),
        ("embedding", "i1", (EMBEDDING,)),
        # flags and fixed-point shares, so that sums are exact whatever their order
        ("has_text", "i1"),
        ("shared", "i1"),  # another account sent the text before
        ("formal", "i1"),
        ("impersonal", "i1"),
        ("answered", "i1"),
        ("one_shot", "i1"),
        ("follow_up", "i1"),
        ("system", "i1"),
        ("rides_limit", "i1"),
        ("failed", "i1"),
        ("logprobs", "i1"),
        ("many", "i1"),
        ("fixed", "i1"),  # decoding held fixed: temperature 0 or a seed
        ("released", "i1"),  # to a model released a short time ago
        ("requeried", "i1"),  # the account sent the text before, to another model
        ("tools", "i1"),
        ("elicitation", "u1"),
        ("grading", "u1"),
        ("probing", "u1"),
        ("code", "u1"),
    ]
)
"""One event of an open pane, 200-odd bytes. `template` 0 means no text; `cells` are padded with -1."""

Events = NDArray[np.void]


def hash_text(text: str | None) -> int:
    """Stable 32-bit hash of an identifier; 0 for none. Not keyed: identifiers are hashed by the emitter if at all."""
    return crc32(text.encode("utf-8", "surrogatepass")) if text else 0


often_hashed = lru_cache(65_536)(hash_text)
"""The same for names that come again and again."""


def build(events: Sequence[RequestEvent], offsets: Sequence[int]) -> Events:
    """Columns of a batch; `row`, `pane`, `max_before` and `late` are left to the caller."""
    out = np.zeros(len(events), EVENT)
    if not events:
        return out
    _identity(out, events, offsets)
    _content(out, [event.sketch or NO_SKETCH for event in events])
    _usage(out, events)
    return out


def _identity(out: Events, events: Sequence[RequestEvent], offsets: Sequence[int]) -> None:
    out["offset"] = offsets
    out["ts"] = [e.ts for e in events]
    out["event_hash"] = [crc32(e.event_id.encode("utf-8", "surrogatepass")) for e in events]
    out["conversation"] = [hash_text(e.conversation_id) for e in events]
    out["model"] = [often_hashed(e.model) for e in events]
    out["asn"] = [e.client_asn or 0 for e in events]
    out["org"] = [often_hashed(e.org_id) for e in events]
    out["payment"] = [often_hashed(e.payment_id) for e in events]
    out["client"] = [client_code(e.client_ja4, e.user_agent) for e in events]
    out["net"] = [network_code(e.client_ip) for e in events]
    out["created"] = [(e.account_created_at or 0) // MS_PER_DAY for e in events]


def _content(out: Events, sketches: Sequence[Sketch]) -> None:
    out["has_text"] = [s is not NO_SKETCH for s in sketches]
    out["text_hash"] = [s.text_hash for s in sketches]
    out["template"] = [s.template for s in sketches]
    out["system_template"] = [s.system_template & LOWER_32 for s in sketches]
    out["system"] = out["system_template"] != 0
    out["opening"] = [s.opening for s in sketches]
    out["lead"] = [s.lead for s in sketches]
    out["tail"] = [s.tail for s in sketches]
    values = chain.from_iterable(
        [s.minhash[:MINHASHES] if len(s.minhash) >= MINHASHES else _NO_MINHASH for s in sketches]
    )
    out["minhash"] = np.fromiter(values, np.uint32, MINHASHES * len(sketches)).reshape(-1, MINHASHES)
    style = np.array([s.style for s in sketches], np.int64)
    out["formal"] = style & OPENS_FORMALLY != 0
    out["impersonal"] = style & (FIRST_PERSON | GREETS) == 0
    out["chars"] = [s.chars for s in sketches]
    cells = chain.from_iterable([s.cells if len(s.cells) == CELLS else _padded(s.cells) for s in sketches])
    out["cells"] = np.fromiter(cells, np.int16, CELLS * len(sketches)).reshape(-1, CELLS)
    packed = b"".join([s.embedding if len(s.embedding) == EMBEDDING else _NO_EMBEDDING for s in sketches])
    out["embedding"] = np.frombuffer(packed, np.int8).reshape(-1, EMBEDDING)
    for name in ("elicitation", "grading", "probing", "code"):
        share = np.fromiter(map(attrgetter(name), sketches), np.float64, len(sketches))
        out[name] = (share * 255).astype(np.uint8)


def _padded(cells: tuple[int, ...]) -> tuple[int, ...]:
    return (*cells[:CELLS], -1, -1, -1, -1)[:CELLS]


def _usage(out: Events, events: Sequence[RequestEvent]) -> None:
    turns = np.array([0 if e.turn is None else e.turn for e in events], np.int64)
    out["one_shot"] = turns == 0
    out["follow_up"] = turns > 0
    out["answered"] = [e.output_tokens is None or e.output_tokens >= LEAST_ANSWER for e in events]
    out["input_tokens"] = [e.input_tokens or 0 for e in events]
    out["output_tokens"] = [e.output_tokens or 0 for e in events]
    out["reasoning_tokens"] = [e.reasoning_tokens or 0 for e in events]
    out["rides_limit"] = [e.finish_reason == "length" for e in events]
    out["failed"] = [e.status is not None and e.status >= 400 for e in events]  # noqa: PLR2004 - HTTP's own boundary
    out["logprobs"] = [bool(e.logprobs or e.top_logprobs) for e in events]
    out["fixed"] = [e.temperature == 0 or e.seed is not None for e in events]
    out["many"] = [e.n is not None and e.n > 1 for e in events]
    out["tools"] = [bool(e.tool_count) for e in events]
