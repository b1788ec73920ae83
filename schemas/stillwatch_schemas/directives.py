"""Directives: what the policy asks of the serving tier (topic `llm.enforcement.v1`, compacted, key `scope:subject`)."""

from __future__ import annotations

from typing import Literal

import msgspec

Scope = Literal["api_key", "account", "org", "asn", "campaign"]
Action = Literal["observe", "throttle", "challenge", "watermark", "canary", "noise", "suspend"]
Mode = Literal["shadow", "enforce"]


class Params(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=False):
    """The parameters of every action; each action reads its own (see the table in docs/contracts)."""

    rpm: int | None = None
    tpm: int | None = None
    tokens_per_day: int | None = None
    concurrency: int | None = None
    retry_after_s: int | None = None
    key_id: str | None = None
    algorithm: str | None = None
    strength: float | None = None
    set_id: str | None = None
    rate: float | None = None
    logprobs: bool | None = None
    top_logprobs_max: int | None = None
    temperature_jitter: float | None = None
    http_status: int | None = None
    reason_code: str | None = None


class Directive(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A short-lived, signed order. A null value on the same key releases it; expiry does so by itself."""

    directive_id: str
    revision: int
    """Only a higher revision of the same key is applied: idempotent under redelivery and reordering."""
    scope: Scope
    subject: str
    action: Action
    mode: Mode
    issued_at: int
    not_before: int
    expires_at: int
    finding_uid: str
    reason: str
    issued_by: str
    params: Params = Params()
    supersedes: str | None = None
    signature: str | None = None
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
