"""Directives: what the policy asks of the serving tier (topic `llm.enforcement.v1`, compacted, key `scope:subject`)."""

from __future__ import annotations

from typing import Literal

import msgspec

from stillwatch_schemas.limits import Count, HttpStatus, Id, Label, Line, NonNegative, Revision, Share, TimeMs

Scope = Literal["api_key", "account", "org", "asn", "campaign"]
Action = Literal["observe", "throttle", "challenge", "watermark", "canary", "noise", "suspend"]
Mode = Literal["shadow", "enforce"]


class Params(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=False):
    """The parameters of every action; each action reads its own, named in front of the description."""

    rpm: Count | None = None
    """throttle: requests per minute."""
    tpm: Count | None = None
    """throttle: tokens per minute."""
    tokens_per_day: Count | None = None
    """throttle: output tokens per day."""
    concurrency: Count | None = None
    """throttle: requests at the same time."""
    retry_after_s: Count | None = None
    """throttle: what to answer in `Retry-After`, seconds."""
    key_id: Label | None = None
    """watermark: which key, never the key itself."""
    algorithm: Label | None = None
    """watermark: the sampler's scheme."""
    strength: NonNegative | None = None
    """watermark: how strongly, in the scheme's own unit."""
    set_id: Label | None = None
    """canary: which set of canaries to draw from."""
    rate: Share | None = None
    """canary: share of answers that get one."""
    logprobs: bool | None = None
    """noise: whether log probabilities may be returned."""
    top_logprobs_max: Count | None = None
    """noise: most alternatives per token to return."""
    temperature_jitter: NonNegative | None = None
    """noise: how far to vary the sampling temperature."""
    http_status: HttpStatus | None = None
    """suspend: the status to answer with."""
    reason_code: Label | None = None
    """suspend: the machine-readable reason in the answer's body."""


class Directive(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A short-lived, signed order. A null value on the same key releases it; expiry does so by itself."""

    directive_id: Id
    revision: Revision
    """Only a higher revision of the same key is applied: idempotent under redelivery and reordering."""
    scope: Scope
    subject: Id
    action: Action
    mode: Mode
    issued_at: TimeMs
    not_before: TimeMs
    expires_at: TimeMs
    finding_uid: Label
    reason: Line
    issued_by: Label
    params: Params = Params()
    supersedes: Label | None = None
    signature: Label | None = None
    """Ed25519 over the canonical bytes, base64url without padding."""

    @property
    def key(self) -> str:
        """The record key: one live directive per scope and subject."""
        return f"{self.scope}:{self.subject}"


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A tombstone to be written: the directive on this key ends now."""

    key: str
    reason: str
    at: int
