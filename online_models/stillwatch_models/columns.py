"""Request events as columns: the last place where Python looks at events one by one, where they are not packed already.

`packing` makes the same records of raw JSON; what it leaves to the general decoder comes here. Each event is packed
into its record in one go, while what it is made of is still in the processor's cache: walking the events column by
column takes twice the time as soon as there are more than a few hundred.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.codec import decode_request
from stillwatch_schemas.events import RequestEvent, Sketch

from stillwatch_models.networks import client_code, network_code

CELLS = 4
"""Topic cells a prompt may fall in."""
MINHASHES = 8
"""MinHash values kept of a sketch's sixteen: enough to tell half new from not new."""
EMBEDDING = 32
"""Dimensions of the sketch's random projection."""

NO_SKETCH = Sketch()
_NO_MINHASH = (0,) * MINHASHES

MS_PER_DAY = 86_400_000
LEAST_ANSWER = 5
"""Output tokens from which on an answer is worth training on; an unknown number counts as enough."""
LEAST_FAILURE = 400
"""HTTP status from which on a request has failed."""
OPENS_FORMALLY, FIRST_PERSON, GREETS = 1, 2, 4
"""Bits of `Sketch.style`."""

LOWER_32 = 0xFFFF_FFFF

EVENT = np.dtype(
    [
        # where it belongs: set by whoever puts the event into its pane
        ("row", "i8"),
        ("pane", "i8"),
        ("max_before", "i8"),
        # what was asked
        ("offset", "i8"),
        ("ts", "i8"),
        ("event_hash", "i8"),
        ("text_hash", "i8"),
        ("template", "i8"),
        ("opening", "i8"),
        ("lead", "i8"),
        ("tail", "i8"),
        ("conversation", "i8"),
        ("asn", "i8"),
        ("minhash", "u4", (MINHASHES,)),
        ("model", "u4"),
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
        ("cells", "i2", (CELLS,)),  # padded with -1
        ("embedding", "i1", (EMBEDDING,)),
        ("has_text", "i1"),
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
        ("tools", "i1"),
        # fixed-point shares, so that sums are exact whatever their order
        ("elicitation", "u1"),
        ("grading", "u1"),
        ("probing", "u1"),
        ("code", "u1"),
        # told by what came before; set by others too
        ("late", "i1"),
        ("shared", "i1"),  # another account sent the text before
        ("released", "i1"),  # to a model released a short time ago
        ("requeried", "i1"),  # the account sent the text before, to another model
    ],
    align=True,  # NumPy reads what is not aligned through a buffer
)
"""One event of an open pane, 248 bytes. `template` 0 means no text."""

PACKED = struct.Struct(f"@24x 10n {MINHASHES}I 7I 4i {CELLS}h {EMBEDDING}s 13? 4B 11x")
"""What an event says of itself, in EVENT's layout; what others set is zero."""
WHOLE_SHARE = 255
"""A share of 1 as a fixed-point number."""

Events = NDArray[np.void]


class PackedRequest(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A request event whose columns are known already; see `packing`."""

    ts: int
    event_id: str
    account_id: str
    columns: bytes
    """A record of EVENT; its offset is not set yet."""
    value: bytes
    """The JSON that it was made of."""

    def unpacked(self) -> RequestEvent:
        """The event with all its fields."""
        return decode_request(self.value)


Request = RequestEvent | PackedRequest
REQUESTS: Final = (PackedRequest, RequestEvent)
"""The same, for `isinstance`, which takes three times as long with a union."""


def hash_text(text: str | None) -> int:
    """Stable 32-bit hash of an identifier; 0 for none. Not keyed: identifiers are hashed by the emitter if at all."""
    return crc32(text.encode("utf-8", "surrogatepass")) if text else 0


often_hashed = lru_cache(65_536)(hash_text)
"""The same for names that come again and again."""


def build(events: Sequence[Request], offsets: Sequence[int]) -> Events:
    """Columns of a batch; `row`, `pane`, `max_before` and `late` are left to the caller."""
    out: Events = np.frombuffer(bytearray().join(_packed(events)), EVENT)
    out["offset"] = offsets
    return out


def _packed(events: Sequence[Request]) -> Iterator[bytes]:
    """Each event's record, without its offset."""
    pack = PACKED.pack
    for event in events:
        if isinstance(event, PackedRequest):
            yield event.columns
            continue
        sketch = event.sketch or NO_SKETCH
        style, system, turn, output = sketch.style, sketch.system_template & LOWER_32, event.turn, event.output_tokens
        yield pack(
            0,
            event.ts,
            crc32(event.event_id.encode("utf-8", "surrogatepass")),
            sketch.text_hash,
            sketch.template,
            sketch.opening,
            sketch.lead,
            sketch.tail,
            crc32((event.conversation_id or "").encode("utf-8", "surrogatepass")),
            event.client_asn or 0,
            *(sketch.minhash[:MINHASHES] if len(sketch.minhash) >= MINHASHES else _NO_MINHASH),
            often_hashed(event.model),
            often_hashed(event.org_id),
            often_hashed(event.payment_id),
            client_code(event.client_ja4, event.user_agent),
            network_code(event.client_ip),
            (event.account_created_at or 0) // MS_PER_DAY,
            system,
            sketch.chars,
            event.input_tokens or 0,
            output or 0,
            event.reasoning_tokens or 0,
            *(sketch.cells if len(sketch.cells) == CELLS else _padded(sketch.cells)),
            sketch.embedding,
            sketch is not NO_SKETCH,
            style & OPENS_FORMALLY,
            not style & (FIRST_PERSON | GREETS),
            output is None or output >= LEAST_ANSWER,
            not turn,
            turn,
            system,
            event.finish_reason == "length",
            (event.status or 0) >= LEAST_FAILURE,
            event.logprobs or event.top_logprobs,
            (event.n or 0) > 1,
            event.temperature == 0 or event.seed is not None,
            event.tool_count,
            int(sketch.elicitation * WHOLE_SHARE),
            int(sketch.grading * WHOLE_SHARE),
            int(sketch.probing * WHOLE_SHARE),
            int(sketch.code * WHOLE_SHARE),
        )


def _padded(cells: tuple[int, ...]) -> tuple[int, ...]:
    return (*cells[:CELLS], -1, -1, -1, -1)[:CELLS]
