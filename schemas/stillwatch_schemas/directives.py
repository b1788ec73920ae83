"""Directives: what the policy asks of the serving tier (topic `llm.enforcement.v1`, compacted, key `scope:subject`)."""

from __future__ import annotations

from typing import Literal

import msgspec

from stillwatch_schemas.limits import Count, HttpStatus, Id, Label, Line, NonNegative, Revision, Share, TimeMs

Scope = Literal["api_key", "account", "org", "asn", "campaign"]
Action = Literal["observe", "throttle", "challenge", "watermark", "canary", "noise", "suspend"]
Mode = Literal["shadow", "enforce"]


class Params(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=False):
    """The parameters of every action; each action reads its own (see the table in docs/contracts)."""

    rpm: Count | None = None
    tpm: Count | None = None
    tokens_per_day: Count | None = None
    concurrency: Count | None = None
    retry_after_s: Count | None = None
    key_id: Label | None = None
    algorithm: Label | None = None
    strength: NonNegative | None = None
    set_id: Label | None = None
    rate: Share | None = None
    logprobs: bool | None = None
    top_logprobs_max: Count | None = None
    temperature_jitter: NonNegative | None = None
    http_status: HttpStatus | None = None
    reason_code: Label | None = None


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
