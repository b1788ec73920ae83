"""The demo's model: no weights, canned sentences, honest token counts. Speaks the three routes the middleware watches.

It exists so that a newcomer sees real HTTP exchanges without a GPU. Answers are made of our own sentences, chosen by a
hash of the prompt, so equal prompts get equal answers.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from stillwatch_serving.exchange import Body, parse_body, request_fields

SENTENCES: Final = (
    "There are a few parts to this, and it helps to take them one at a time.",
    "The short answer is yes, with one condition that is easy to miss.",
    "A small example makes the idea clear before the general rule does.",
    "Most of the difficulty lies in the first step, so spend your time there.",
    "If the figures are rounded early, the result drifts; keep them exact until the end.",
    "An older way of doing it still works, but it needs more care.",
    "Check the edge cases: nothing at all, exactly one, and far too many.",
    "The two options differ less in speed than in how they fail.",
    "Write down what you expect first, then compare it with what you see.",
    "In practice the simplest variant is good enough for nearly everyone.",
)
LENGTH_HEADER: Final = "x-echo-words"
"""Says how long the answer should be: a simulation's stand-in for what a model would have had to say."""
_LONGEST_WORDS: Final = 4_096
_CHUNK_WORDS: Final = 8


class EchoModel:
    """Answers a request body. `words_per_second` paces the answers (0: at once)."""

    def __init__(self, words_per_second: float = 0.0) -> None:
        self._words_per_second = words_per_second

    async def respond(self, request: Request) -> Response:
        """Handle one of the watched routes."""
        body = parse_body(await request.body())
        asked = request_fields(body, max_prompt_chars=8_192)
        if not body or asked["prompt"] is None:
            problem = {"error": {"message": "The body has no user message.", "type": "invalid_request_error"}}
            return Response(msgspec.json.encode(problem), 400, media_type="application/json")
        wanted = request.headers.get(LENGTH_HEADER, "")
        words = answer_words(asked["prompt"], asked["max_tokens"], int(wanted) if wanted.isdigit() else None)
        usage = {"prompt_tokens": _tokens(asked["prompt"]), "completion_tokens": len(words)}
        if asked["stream"]:
            return StreamingResponse(self._chunks(words, usage), media_type="text/event-stream")
        await self._pause(len(words))
        document = _document(request.url.path, body, " ".join(words), usage)
        return Response(msgspec.json.encode(document), media_type="application/json")

    async def _chunks(self, words: list[str], usage: dict[str, int]) -> AsyncIterator[bytes]:
        for start in range(0, len(words), _CHUNK_WORDS):
            piece = words[start : start + _CHUNK_WORDS]
            await self._pause(len(piece))
            yield _event({"choices": [{"index": 0, "delta": {"content": " ".join(piece) + " "}}]})
        yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage})
        yield b"data: [DONE]\n\n"

    async def _pause(self, words: int) -> None:
        if self._words_per_second > 0:
            await asyncio.sleep(words / self._words_per_second)


def answer_words(prompt: str, max_tokens: Any, wanted: int | None = None) -> list[str]:
    """The answer as a list of words: as long as wanted, within `max_tokens`; equal for equal arguments."""
    limit = max_tokens if isinstance(max_tokens, int) and max_tokens > 0 else _LONGEST_WORDS
    choice = zlib.crc32(prompt.encode("utf-8", "replace"))
    length = min(limit, _LONGEST_WORDS, wanted if wanted is not None else 24 + choice % 160)
    words: list[str] = []
    while len(words) < length:
        choice = zlib.crc32(choice.to_bytes(4, "big"))
        words += SENTENCES[choice % len(SENTENCES)].split()
    return words[:length]


def _tokens(text: str) -> int:
    """About what a tokeniser would count."""
    return max(1, len(text) // 4)


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


def _document(path: str, body: Body, text: str, usage: dict[str, int]) -> dict[str, Any]:
    model = body.get("model", "echo")
    if path == "/v1/messages":
        return {
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]},
        }
    answer: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    if path == "/v1/completions":
        answer["text"] = text
    else:
        answer["message"] = {"role": "assistant", "content": text}
    return {
        "object": "text_completion" if path == "/v1/completions" else "chat.completion",
        "model": model,
        "choices": [answer],
        "usage": usage | {"total_tokens": sum(usage.values())},
    }
