"""ASGI middleware: decides before the model server sees a request, and reports what came of it.

Wraps any ASGI app that serves `/v1/chat/completions`, `/v1/completions` or `/v1/messages`; everything else passes
untouched. The app finds the decision (and its instructions: watermark, canary, noise) in `scope["stillwatch"]`, and
may append the canaries that it placed to `scope["stillwatch"].canary_ids`. Put it inside of anything that compresses
answers, or token counts are not seen.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import uuid4

from stillwatch_serving.answers import directive_header, error, refusal
from stillwatch_serving.decisions import Decision
from stillwatch_serving.exchange import OPERATIONS, Body, ResponseWatch, conversation_id, parse_body, request_fields
from stillwatch_serving.identity import Client, Identify, Scope, hashed_authorization
from stillwatch_serving.node import ServingNode, Ticket

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("stillwatch.serving.asgi")

CLIENT_CLOSED = 499
"""Status of an exchange whose client went away, as nginx has it."""
SERVER_FAILED = 500


class _Disconnected(Exception):  # noqa: N818  # not an error
    """The client went away while it sent its request."""


class Exchange:
    """One request on its way through: what the app may look at, and what the event is made of."""

    def __init__(self, ticket: Ticket, client: Client, path: str, body: Body) -> None:
        self.decision: Decision = ticket.decision
        self.canary_ids: list[str] = []
        """Canaries that the app placed in its answer."""
        self._ticket = ticket
        self._client = client
        self._path = path
        self._body = body
        self._watch = ResponseWatch()
        self._began = time.perf_counter()
        self._first_byte: float | None = None

    def observe(self, message: Message) -> None:
        """See one message of the response pass."""
        if message["type"] == "http.response.start":
            self._watch.started(message["status"], list(message.get("headers", ())))
        elif message["type"] == "http.response.body" and message.get("body"):
            if self._first_byte is None:
                self._first_byte = time.perf_counter()
            self._watch.body(message["body"])

    def finish(self, node: ServingNode, *, failed_status: int | None = None) -> None:
        """Settle the request with the node and publish its event; `failed_status` replaces a status never sent."""
        answer = self._watch.fields()
        if self._watch.status is None:
            answer["status"] = failed_status
        elif failed_status == CLIENT_CLOSED:
            answer["finish_reason"] = "client_closed"
        input_tokens, output_tokens = _count(answer["input_tokens"]), _count(answer["output_tokens"])
        try:
            event = self._event(node, answer)
        except Exception:
            # The answer is under way: whatever a host's identity function put into the facts, it must not spoil it.
            logger.exception("no event can be made of a request of %s", self._client.identity)
            event = None
        node.end(self._ticket, event, tokens=input_tokens + output_tokens)

    def _event(self, node: ServingNode, answer: dict[str, Any]) -> dict[str, Any]:
        who = self._client.identity
        asked = request_fields(self._body, max_prompt_chars=node.settings.max_prompt_chars)
        known = {"conversation_id": conversation_id(who.account_id, self._body)} | {
            name: value for name, value in self._client.facts.items() if value is not None
        }
        fields: dict[str, Any] = {
            "event_id": uuid4().hex,
            "ts": self._ticket.arrived_ms,
            "account_id": who.account_id,
            "api_key_id": who.api_key_id,
            "org_id": who.org_id,
            "client_asn": who.asn,
            "operation": OPERATIONS[self._path],
            "latency_ms": (time.perf_counter() - self._began) * 1_000,
            "ttft_ms": None if self._first_byte is None else (self._first_byte - self._began) * 1_000,
            "canary_ids": tuple(self.canary_ids),
            "directive_ids": self.decision.directive_ids,
        }
        fields |= asked | known | answer
        return {name: value for name, value in fields.items() if value is not None}


class StillwatchMiddleware:
    """Wraps an ASGI app. The node must have been started by the host (see `gateway.py`)."""

    def __init__(self, app: App, node: ServingNode, *, identify: Identify = hashed_authorization) -> None:
        self._app = app
        self._node = node
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection event of the server."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in OPERATIONS:
            await self._app(scope, receive, send)
            return
        try:
            body = await _read(receive, self._node.settings.max_body_bytes)
        except _Disconnected:
            return
        if body is None:
            limit = self._node.settings.max_body_bytes
            message = f"The request body is longer than {limit} bytes."
            too_large = error(413, "invalid_request_error", "request_too_large", message, path=scope["path"])
            await _answer(send, too_large)
            return
        await self._exchange(scope, _replay(body, receive), send, body)

    async def _exchange(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        client = self._identify(scope)
        exchange = Exchange(self._node.begin(client.identity), client, scope["path"], parse_body(body))
        watched = _watching(exchange, send)
        failed_status: int | None = CLIENT_CLOSED
        try:
            if exchange.decision.verdict != "allow":
                await _answer(watched, refusal(exchange.decision, scope["path"]))
            else:
                scope["stillwatch"] = exchange
                await self._app(scope, receive, watched)
            failed_status = None
        except Exception:
            failed_status = SERVER_FAILED
            raise
        finally:
            exchange.finish(self._node, failed_status=failed_status)


def _watching(exchange: Exchange, send: Send) -> Send:
    """A `send` that shows the response to the exchange and names overt directives in its head."""
    extra = directive_header(exchange.decision)

    async def watched(message: Message) -> None:
        exchange.observe(message)
        if extra and message["type"] == "http.response.start" and exchange.decision.verdict == "allow":
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await send(message)

    return watched


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole request body; None when it is longer than allowed."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once and then listens to the client again."""
    pending = [body]

    async def replayed() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replayed


async def _answer(send: Send, response: tuple[int, list[tuple[bytes, bytes]], bytes]) -> None:
    status, headers, body = response
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
