"""The limits table: how long, how many, how great. Written as types, so that msgspec checks them in C while it decodes.

A record beyond a limit is refused with a `ContractError`; nothing is cut silently on the reading side. The limits are
generous on purpose: they bound memory and keep arithmetic safe, they do not police what clients may ask for.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

MAX_VALUE_BYTES = 1_048_576
"""Longest record value that is decoded at all, 1 MiB: what a broker accepts by default."""
MAX_TEXT_CHARS = 262_144
"""Longest prompt or system prompt in characters."""
MAX_PARAGRAPH_CHARS = 8_192
MIN_TS_MS = 946_684_800_000
"""2000-01-01T00:00:00Z. An earlier time is a unit mistake (seconds) or a broken clock."""
MAX_TS_MS = 4_102_444_800_000
"""2100-01-01T00:00:00Z. A later time is a unit mistake (microseconds) or a broken clock."""
MAX_MEMBERS = 50_000
"""Most accounts named in one record: twice the largest campaign that was made public."""
MINHASH_VALUES = 16
"""Values of a MinHash; a sketch carries all of them or none."""
EMBEDDING_BYTES = 32
"""Bytes of a projection; a sketch carries all of them or none."""

Id = Annotated[str, Meta(min_length=1, max_length=256)]
"""An identity that something is keyed by."""
Label = Annotated[str, Meta(max_length=256)]
"""An identity or name that may be empty."""
Word = Annotated[str, Meta(max_length=64)]
"""A word out of a small vocabulary."""
Line = Annotated[str, Meta(max_length=1_024)]
"""A line of text, such as a user agent or a reason."""
Paragraph = Annotated[str, Meta(max_length=MAX_PARAGRAPH_CHARS)]
"""A note that a human wrote, or a statement made for one."""
Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARS)]
"""A prompt."""

TimeMs = Annotated[int, Meta(ge=MIN_TS_MS, le=MAX_TS_MS)]
"""Milliseconds since the epoch, UTC."""
PastMs = Annotated[int, Meta(ge=0, le=MAX_TS_MS)]
"""The same, where 0 means long ago."""
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
"""Tokens, characters, events: 0 to 10^9."""
Revision = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Tokens = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""A sum of counts, exact in every JSON reader."""
Asn = Annotated[int, Meta(ge=0, le=2**32 - 1)]
"""Autonomous system number."""
HttpStatus = Annotated[int, Meta(ge=0, le=999)]
DurationMs = Annotated[float, Meta(ge=0, le=1e9)]
"""A duration in milliseconds, up to eleven days."""
Knob = Annotated[float, Meta(ge=-1_000, le=1_000)]
"""A sampling parameter as the client sent it, sensible or not."""
Share = Annotated[float, Meta(ge=0, le=1)]
NonNegative = Annotated[float, Meta(ge=0, le=1e6)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Score = Annotated[int, Meta(ge=0, le=100)]
Real = Annotated[float, Meta(ge=-1e300, le=1e300)]
"""Any finite number: NaN and infinity are refused."""
Partition = Annotated[int, Meta(ge=0, le=1_000_000)]
Pane = Annotated[int, Meta(ge=0, le=MAX_TS_MS)]
"""Pane number: at most one pane per millisecond."""

Hash52 = Annotated[int, Meta(ge=0, le=2**52 - 1)]
"""A keyed hash that every JSON reader keeps exact."""
Hash32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Cell = Annotated[int, Meta(ge=0, le=4_095)]
"""A topic cell."""

Ids = Annotated[tuple[Id, ...], Meta(max_length=64)]
"""A short list of ids."""
Members = Annotated[tuple[Id, ...], Meta(max_length=MAX_MEMBERS)]
"""A bounded list of accounts."""
