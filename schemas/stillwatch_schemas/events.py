"""The request event: one exchange with the model, as the gateway saw it (topic `llm.requests.v1`).

Every field but four is optional, because every gateway knows a different part of the truth. Unknown fields are ignored,
so an emitter may be newer than the detector.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from stillwatch_schemas.limits import (
    EMBEDDING_BYTES,
    MINHASH_VALUES,
    Asn,
    Cell,
    Count,
    DurationMs,
    Hash32,
    Hash52,
    HttpStatus,
    Id,
    Ids,
    Int64,
    Knob,
    Label,
    Line,
    PastMs,
    Share,
    Text,
    TimeMs,
    Word,
)


class Sketch(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What detection needs of a prompt, without the prompt (privacy mode).

    Computed by `stillwatch_schemas.sketch`, in the emitter or in the account agent: same function, same result.
    Hashes are keyed with the deployment's sketch key and fit in 52 bits, so that every JSON reader keeps them exact.
    """

    v: Annotated[int, Meta(ge=1, le=255)] = 1
    """Version of the sketch function; sketches of different versions are not compared."""
    chars: Count = 0
    """Length of the prompt text in characters."""
    words: Count = 0
    """Number of tokens (words; single characters in scripts that do not use spaces)."""
    text_hash: Hash52 = 0
    """Keyed hash of the normalised text: equal for verbatim repeats."""
    template: Hash52 = 0
    """Keyed hash of the skeleton that remains when the slots (numbers, names, quoted and long parts) are masked."""
    system_template: Hash52 = 0
    """The same of the system prompt; 0 without one."""
    opening: Hash52 = 0
    """Keyed hash of the first token, a number masked."""
    lead: Hash52 = 0
    """Keyed hash of the first four tokens, numbers masked."""
    tail: Hash52 = 0
    """Keyed hash of the last four tokens, numbers masked."""
    style: Annotated[int, Meta(ge=0, le=255)] = 0
    """Bit mask: 1 opens with a capital or in a script without capitals, 2 first person, 4 greets or pleads."""
    minhash: Annotated[tuple[Hash32, ...], Meta(max_length=MINHASH_VALUES)] = ()
    """Keyed MinHash of the word shingles, 16 values of 32 bits."""
    cells: Annotated[tuple[Cell, ...], Meta(max_length=4)] = ()
    """Hashed topic cells: up to 4 of 4,096 buckets that the content words fall in."""
    embedding: Annotated[bytes, Meta(max_length=EMBEDDING_BYTES)] = b""
    """Random projection of the hashed bag of words, 32 signed bytes."""
    script: Annotated[int, Meta(ge=0, le=255)] = 0
    """Dominant script: 0 Latin, 1 Han, 2 Kana or Hangul, 3 Cyrillic, 4 Arabic, 5 other."""
    elicitation: Share = 0.0
    """How strongly the text asks for written-out reasoning, 0 to 1."""
    grading: Share = 0.0
    """How strongly the text asks to grade, rank or reward answers against a rubric, 0 to 1."""
    probing: Share = 0.0
    """How strongly the text probes safety boundaries, 0 to 1."""
    code: Share = 0.0
    """Share of the text that looks like program code, 0 to 1."""


class RequestEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One request to the model and what came of it. Times in integer milliseconds since the epoch, UTC."""

    event_id: Id
    """Idempotency key, given by the gateway."""
    ts: TimeMs
    """Arrival at the gateway."""
    account_id: Id
    """The identity that authenticated; everything else about the caller is detail or claim."""
    model: Id
    """The model that was asked for."""
    org_id: Label | None = None
    """Organisation or team of the account; a hash is fine."""
    api_key_id: Label | None = None
    """Name or hash of the API key, never the key."""
    end_user_id: Label | None = None
    """What the client says its user is: untrusted."""
    conversation_id: Label | None = None
    turn: Count | None = None
    """Turn in the conversation, from 0."""
    operation: Word = "chat"
    """OpenTelemetry's `gen_ai.operation.name`: chat, text_completion, embeddings, ..."""
    client_ip: Word | None = None
    client_asn: Asn | None = None
    """Autonomous system that the address belongs to."""
    client_country: Word | None = None
    """ISO 3166-1 alpha-2."""
    client_ja4: Label | None = None
    """TLS client fingerprint."""
    user_agent: Line | None = None
    account_created_at: PastMs | None = None
    payment_id: Label | None = None
    """Hash of the payment instrument."""
    plan: Word | None = None
    """free, pro, api, enterprise, ..."""
    prompt: Text | None = None
    """The last user message; see `sketch` for the way without text."""
    system_prompt: Text | None = None
    sketch: Sketch | None = None
    """Computed by the emitter instead of sending the text (privacy mode)."""
    prompt_chars: Count | None = None
    """Length of the prompt in characters before anything cut it."""
    temperature: Knob | None = None
    top_p: Knob | None = None
    max_tokens: Count | None = None
    n: Count | None = None
    """Completions asked for."""
    stream: bool | None = None
    logprobs: bool | None = None
    top_logprobs: Count | None = None
    response_format: Label | None = None
    """text, json_object, json_schema, ..."""
    reasoning_effort: Word | None = None
    tool_count: Count | None = None
    """Tools that the request offers to the model."""
    seed: Int64 | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    """All output tokens, reasoning included."""
    reasoning_tokens: Count | None = None
    cached_tokens: Count | None = None
    status: HttpStatus | None = None
    """HTTP status of the answer."""
    finish_reason: Word | None = None
    latency_ms: DurationMs | None = None
    """From arrival to the last byte."""
    ttft_ms: DurationMs | None = None
    """From arrival to the first token."""
    canary_ids: Ids = ()
    """Canaries placed in the answer."""
    directive_ids: Ids = ()
    """Directives that the gateway applied."""


HEARTBEAT_HEADER = "stillwatch-heartbeat"
"""A record with this header carries no request; the header's value is the time in ASCII milliseconds."""


class Heartbeat(msgspec.Struct, frozen=True):
    """Says that time has come this far on this partition: moves an idle watermark, carries no request."""

    ts: TimeMs
