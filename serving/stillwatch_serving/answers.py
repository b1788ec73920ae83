"""The answers that this layer gives itself: refusals, in the dialect of the API that was called."""

from __future__ import annotations

from typing import Any

import msgspec

from stillwatch_serving.decisions import Decision

HEADER = b"x-stillwatch-directive"
_TYPES = {"throttle": "rate_limit_error", "challenge": "permission_error", "suspend": "permission_error"}


def directive_header(decision: Decision) -> list[tuple[bytes, bytes]]:
    """Names the directives that the client may learn of: those that slow or stop it, never those that mark it."""
    value = ",".join(decision.overt_ids).encode("ascii", "ignore").replace(b"\n", b"").replace(b"\r", b"")
    return [(HEADER, value)] if value else []


def refusal(decision: Decision, path: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body for a request that must not reach the model."""
    headers = directive_header(decision)
    if decision.retry_after_s is not None:
        headers.append((b"retry-after", str(decision.retry_after_s).encode()))
    return error(decision.status, _TYPES[decision.verdict], decision.code, decision.message, path=path, headers=headers)


def error(
    status: int,
    kind: str,
    code: str,
    message: str,
    *,
    path: str,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """One error response in OpenAI's shape, or Anthropic's on its own route."""
    document: dict[str, Any] = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    if path == "/v1/messages":
        document = {"type": "error", "error": {"type": kind, "message": message}}
    body = msgspec.json.encode(document)
    own = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return status, own + (headers or []), body
