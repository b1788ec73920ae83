"""Builders of valid contract values: a test names only the fields that it is about.

`from support.builders import make_event` works in every test, because `tests` is on pytest's python path.
"""

from __future__ import annotations

from typing import Any

from stillwatch_schemas.directives import Directive, Params
from stillwatch_schemas.events import RequestEvent, Sketch
from stillwatch_schemas.findings import Evidence, Finding
from stillwatch_schemas.signals import Contribution, PaneClosed
from stillwatch_schemas.verdicts import Verdict

T0 = 1_767_225_600_000
"""2026-01-01T00:00:00Z in milliseconds: the day on which every built event happens."""


def make_event(**overrides: Any) -> RequestEvent:
    """One ordinary chat exchange of `acct-1` at T0."""
    fields: dict[str, Any] = {
        "event_id": "ev-1",
        "ts": T0,
        "account_id": "acct-1",
        "model": "aurora-2",
        "org_id": "org-1",
        "api_key_id": "key-1",
        "client_ip": "192.0.2.10",
        "client_asn": 64500,
        "prompt": "What is the boiling point of water on a mountain?",
        "max_tokens": 512,
        "input_tokens": 12,
        "output_tokens": 140,
        "status": 200,
        "finish_reason": "stop",
        "latency_ms": 2100.0,
    }
    return RequestEvent(**(fields | overrides))


def make_full_event(**overrides: Any) -> RequestEvent:
    """An event with every field set, about 1 kB as JSON."""
    fields: dict[str, Any] = {
        "end_user_id": "eu-77",
        "conversation_id": "conv-12",
        "turn": 3,
        "operation": "chat",
        "client_country": "DE",
        "client_ja4": "t13d1516h2_8daaf6152771_b186095e22b6",
        "user_agent": "openai-python/2.8.1",
        "account_created_at": T0 - 86_400_000,
        "payment_id": "pay-5f3a",
        "plan": "api",
        "system_prompt": "Answer briefly.",
        "sketch": make_sketch(),
        "prompt_chars": 49,
        "temperature": 0.7,
        "top_p": 0.95,
        "n": 1,
        "stream": True,
        "logprobs": False,
        "top_logprobs": 0,
        "response_format": "text",
        "reasoning_effort": "medium",
        "tool_count": 0,
        "seed": 11,
        "reasoning_tokens": 60,
        "cached_tokens": 4,
        "ttft_ms": 210.5,
        "canary_ids": ("can-1",),
        "directive_ids": ("dir-1",),
    }
    return make_event(**(fields | overrides))


def make_sketch(**overrides: Any) -> Sketch:
    """A plausible sketch of a short English question (the numbers are invented, not computed)."""
    fields: dict[str, Any] = {
        "chars": 49,
        "words": 9,
        "text_hash": 0x3A7C5519E0B42,
        "template": 0x1180FCE2B7711,
        "minhash": tuple(range(100_000_001, 100_000_017)),
        "cells": (17, 803, 2044),
        "embedding": bytes(range(32)),
        "elicitation": 0.1,
    }
    return Sketch(**(fields | overrides))


def make_evidence(**overrides: Any) -> Evidence:
    """Machine-like rhythm over a day, worth 9 nats."""
    fields: dict[str, Any] = {
        "signal": "machine_rhythm",
        "statement": "4,120 calls in 24 h with a gap variation of 0.12; 99.9 % of accounts vary more (median 1.9).",
        "observed": 0.12,
        "baseline": 1.9,
        "percentile": 99.9,
        "unit": "gap CV",
        "horizon": "24 h",
        "p_value": 0.0004,
        "weight": 9.0,
        "event_ids": ("ev-1", "ev-2"),
    }
    return Evidence(**(fields | overrides))


def make_finding(**overrides: Any) -> Finding:
    """The first alert about `acct-1`: high, distillation, one piece of evidence."""
    fields: dict[str, Any] = {
        "uid": "inc-0001",
        "alert_uid": "alert-0001",
        "kind": "distillation",
        "activity": "create",
        "tier": "high",
        "subject_kind": "account",
        "subject": "acct-1",
        "time_ms": T0 + 86_400_000,
        "first_seen_ms": T0,
        "last_seen_ms": T0 + 86_399_000,
        "exchanges": 4_120,
        "risk_score": 82,
        "confidence_score": 91,
        "evidence": (make_evidence(),),
        "org_id": "org-1",
        "api_key_id": "key-1",
        "asn": 64500,
        "shard": 1,
        "shard_accounts": 12_000,
        "config_hash": "0123456789ab",
    }
    return Finding(**(fields | overrides))


def make_directive(**overrides: Any) -> Directive:
    """An unsigned one-hour shadow throttle of `acct-1`."""
    fields: dict[str, Any] = {
        "directive_id": "dir-1",
        "revision": 1,
        "scope": "account",
        "subject": "acct-1",
        "action": "throttle",
        "mode": "shadow",
        "issued_at": T0,
        "not_before": T0,
        "expires_at": T0 + 3_600_000,
        "finding_uid": "inc-0001",
        "reason": "distillation, high",
        "issued_by": "policy",
        "params": Params(rpm=6, retry_after_s=30),
    }
    return Directive(**(fields | overrides))


def make_verdict(**overrides: Any) -> Verdict:
    """An analyst confirms the incident of `make_finding`."""
    fields: dict[str, Any] = {
        "verdict_id": "ver-1",
        "finding_uid": "inc-0001",
        "subject": "acct-1",
        "label": "distillation",
        "analyst": "kim",
        "at": T0 + 90_000_000,
    }
    return Verdict(**(fields | overrides))


def make_contribution(**overrides: Any) -> Contribution:
    """What source partition 0 saw of AS64500 in one 10 s pane."""
    fields: dict[str, Any] = {
        "group": "asn:64500",
        "source": 0,
        "pane": T0 // 10_000,
        "pane_end_ms": T0 + 10_000,
        "events": 3,
        "output_tokens": 420,
        "accounts": ("acct-1", "acct-2"),
        "accounts_total": 2,
        "new_accounts": 1,
        "event_ids": ("ev-1",),
    }
    return Contribution(**(fields | overrides))


def make_pane_closed(**overrides: Any) -> PaneClosed:
    """Source partition 0 is done with the pane of `make_contribution`."""
    fields: dict[str, Any] = {"source": 0, "pane": T0 // 10_000, "pane_end_ms": T0 + 10_000}
    return PaneClosed(**(fields | overrides))
