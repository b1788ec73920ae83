"""Reads one exchange off the wire: what was asked (request body) and what came of it (response).

Understands OpenAI's chat completions and completions and Anthropic's messages, as far as the event needs them. What a
body does not say, or says in an unexpected shape, is left out: the model server judges requests, not we.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

OPERATIONS: Final[dict[str, str]] = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "text_completion",
    "/v1/messages": "chat",
}
"""Path -> operation of the event. Only these paths are watched."""

_COPIED: Final = ("temperature", "top_p", "n", "top_logprobs", "reasoning_effort", "seed")
_MAX_RESPONSE_BYTES: Final = 1_048_576
_MAX_LINE_BYTES: Final = 262_144

Body = dict[str, Any]


def parse_body(body: bytes) -> Body:
    """The JSON object of a request body; empty when it is none."""
    try:
        parsed = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def request_fields(body: Body, *, max_prompt_chars: int) -> dict[str, Any]:
    """Loose event fields out of a request body."""
    messages = [m for m in _list(body.get("messages")) if isinstance(m, dict)]
    prompt, system = _prompt(body, messages), _system(body, messages)
    tools = body.get("tools")
    found: dict[str, Any] = {name: body.get(name) for name in _COPIED}
    found |= {
        "model": body["model"] if isinstance(body.get("model"), str) and body["model"] else "unknown",
        "max_tokens": body.get("max_completion_tokens", body.get("max_tokens")),
        "stream": bool(body.get("stream", False)),
        "logprobs": bool(body["logprobs"]) if "logprobs" in body else None,
        "response_format": _response_format(body.get("response_format")),
        "tool_count": len(tools) if isinstance(tools, list) else None,
        "prompt": None if prompt is None else prompt[:max_prompt_chars],
        "prompt_chars": None if prompt is None else len(prompt),
        "system_prompt": None if system is None else system[:max_prompt_chars],
        "turn": sum(m.get("role") == "assistant" for m in messages),
        "end_user_id": body.get("user") or _dict(body.get("metadata")).get("user_id"),
    }
    return found


def conversation_id(account_id: str, body: Body) -> str | None:
    """An id that the turns of one conversation share: derived from its beginning, which every turn repeats."""
    users = (m for m in _list(body.get("messages")) if isinstance(m, dict) and m.get("role") == "user")
    first = _text(next(users, {}).get("content"))
    if first is None:
        return None
    seed = f"{account_id}\n{first}".encode("utf-8", "surrogatepass")
    return "conv-" + hashlib.blake2b(seed, digest_size=12).hexdigest()


class ResponseWatch:
    """Fed with a response as it passes; then knows usage, finish reason and whether anything was answered."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._streaming = False
        self._readable = True
        self._held = bytearray()
        self._usage: Body = {}
        self._finish: str | None = None
        self._chunks = 0

    def started(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The response's head."""
        by_name = {name.lower(): value for name, value in headers}
        self.status = status
        self._streaming = by_name.get(b"content-type", b"").startswith(b"text/event-stream")
        self._readable = by_name.get(b"content-encoding", b"identity") == b"identity"

    def body(self, chunk: bytes) -> None:
        """The next piece of the response's body."""
        if not self._readable:
            return
        self._held += chunk
        if self._streaming:
            *lines, rest = bytes(self._held).split(b"\n")
            for line in lines:
                self._line(line)
            self._held = bytearray(rest if len(rest) <= _MAX_LINE_BYTES else b"")
        elif len(self._held) > _MAX_RESPONSE_BYTES:
            self._readable, self._held = False, bytearray()

    def fields(self) -> dict[str, Any]:
        """Loose event fields out of the response, once it has ended."""
        if not self._streaming and self._held:
            self._take(parse_body(bytes(self._held)))
        usage = self._usage
        details = _dict(usage.get("completion_tokens_details"))
        return {
            "status": self.status,
            "finish_reason": self._finish,
            "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
            # A stream without usage still shows its length: servers send about a token a chunk.
            "output_tokens": usage.get("completion_tokens", usage.get("output_tokens", self._chunks or None)),
            "reasoning_tokens": details.get("reasoning_tokens"),
            "cached_tokens": _dict(usage.get("prompt_tokens_details")).get(
                "cached_tokens", usage.get("cache_read_input_tokens")
            ),
        }

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        self._chunks += b'"content"' in line or b'"text"' in line
        # Parsing every chunk would cost more than all the rest together; only a few say something we keep.
        if b'"usage"' in line or b'_reason":"' in line or b'_reason": "' in line:
            self._take(parse_body(line[5:].strip()))

    def _take(self, answer: Body) -> None:
        nested = _dict(answer.get("message"))  # Anthropic's `message_start`
        for usage in (answer.get("usage"), nested.get("usage")):
            self._usage |= _dict(usage)
        choices = _list(answer.get("choices"))
        first = _dict(choices[0]) if choices else {}
        stop = _dict(answer.get("delta")).get("stop_reason") or answer.get("stop_reason")
        self._finish = first.get("finish_reason") or stop or self._finish


def _prompt(body: Body, messages: list[Body]) -> str | None:
    users = [m for m in messages if m.get("role") == "user"]
    return _text(users[-1].get("content")) if users else _text(body.get("prompt"))


def _system(body: Body, messages: list[Body]) -> str | None:
    texts = [_text(m.get("content")) for m in messages if m.get("role") in ("system", "developer")]
    joined = "\n".join(text for text in [_text(body.get("system")), *texts] if text)
    return joined or None


def _text(content: Any) -> str | None:
    """Plain text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    parts = [part if isinstance(part, str) else _dict(part).get("text") for part in _list(content)]
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts) if texts else None


def _response_format(value: Any) -> str | None:
    kind = _dict(value).get("type")
    return kind if isinstance(kind, str) else None


def _dict(value: Any) -> Body:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
