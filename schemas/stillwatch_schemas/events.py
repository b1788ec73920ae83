"""The request event: one exchange with the model, as the gateway saw it (topic `llm.requests.v1`).

Every field but four is optional, because every gateway knows a different part of the truth. Unknown fields are ignored,
so an emitter may be newer than the detector.
"""

from __future__ import annotations

import msgspec


class Sketch(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What detection needs of a prompt, without the prompt (privacy mode).

    Computed by `stillwatch_schemas.sketch`, in the emitter or in the account agent: same function, same result.
    Hashes are keyed with the deployment's sketch key and fit in 52 bits, so that every JSON reader keeps them exact.
    """

    v: int = 1
    """Version of the sketch function; sketches of different versions are not compared."""
    chars: int = 0
    """Length of the prompt text in characters."""
    words: int = 0
    """Number of tokens (words; single characters in scripts that do not use spaces)."""
    text_hash: int = 0
    """Keyed hash of the normalised text: equal for verbatim repeats."""
    template: int = 0
    """Keyed hash of the skeleton that remains when the slots (numbers, names, quoted and long parts) are masked."""
    system_template: int = 0
    """The same of the system prompt; 0 without one."""
    minhash: tuple[int, ...] = ()
    """Keyed MinHash of the word shingles, 16 values of 32 bits."""
    cells: tuple[int, ...] = ()
    """Hashed topic cells: up to 4 of 4,096 buckets that the content words fall in."""
    embedding: bytes = b""
    """Random projection of the hashed bag of words, 32 signed bytes."""
    script: int = 0
    """Dominant script: 0 Latin, 1 Han, 2 Kana or Hangul, 3 Cyrillic, 4 Arabic, 5 other."""
    elicitation: float = 0.0
    """How strongly the text asks for written-out reasoning, 0 to 1."""
    grading: float = 0.0
    """How strongly the text asks to grade, rank or reward answers against a rubric, 0 to 1."""
    probing: float = 0.0
    """How strongly the text probes safety boundaries, 0 to 1."""
    code: float = 0.0
    """Share of the text that looks like program code, 0 to 1."""


class RequestEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One request to the model and what came of it. Times in integer milliseconds since the epoch, UTC."""

    event_id: str
    ts: int
    account_id: str
    model: str
    org_id: str | None = None
    api_key_id: str | None = None
    end_user_id: str | None = None
    conversation_id: str | None = None
    turn: int | None = None
    operation: str = "chat"
    client_ip: str | None = None
    client_asn: int | None = None
    client_country: str | None = None
    client_ja4: str | None = None
    user_agent: str | None = None
    account_created_at: int | None = None
    payment_id: str | None = None
    plan: str | None = None
    prompt: str | None = None
    system_prompt: str | None = None
    sketch: Sketch | None = None
    prompt_chars: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    n: int | None = None
    stream: bool | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: str | None = None
    reasoning_effort: str | None = None
    tool_count: int | None = None
    seed: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    status: int | None = None
    finish_reason: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    canary_ids: tuple[str, ...] = ()
    directive_ids: tuple[str, ...] = ()


class Heartbeat(msgspec.Struct, frozen=True):
    """Says that time has come this far on this partition: moves an idle watermark, carries no request."""

    ts: int
