"""Plays the world: the history straight into the request topic, the present over HTTP through the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Self

import aiohttp
from aiokafka import AIOKafkaProducer
from stillwatch_schemas.codec import encode_request
from stillwatch_schemas.events import RequestEvent
from stillwatch_streams.simulator import LabelledEvent

from stillwatch_agents.demo.stack import Stack
from stillwatch_agents.demo.state import DemoState

AT_ONCE = 500
IN_FLIGHT = 64
BENIGN_THROUGH_GATEWAY = 0.3
"""Share of the ordinary accounts that also go over HTTP; the rest reach the topic as other gateways' events would."""
PATH = "/v1/chat/completions"


class Traffic:
    """One producer and one HTTP client."""

    def __init__(self, stack: Stack, state: DemoState, seconds: Callable[[], float]) -> None:
        self._stack = stack
        self._state = state
        self._seconds = seconds
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._producer = AIOKafkaProducer(**stack.options, acks="all", linger_ms=10)

    async def __aenter__(self) -> Self:
        await self._producer.start()
        self._http = aiohttp.ClientSession(self._stack.gateway_url, timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()
        await self._producer.stop()

    async def backfill(self, history: Iterable[LabelledEvent]) -> None:
        """Write the past, each record with its event's time, and wait for the broker to have it."""
        pending = []
        for labelled in history:
            pending.append(await self._produce(labelled.event))
            self._state.history_events += 1
            if labelled.is_attack:
                self._state.note_past(labelled.event.account_id, labelled.event.ts)
            if len(pending) >= AT_ONCE:
                await asyncio.gather(*pending)
                pending.clear()
        await asyncio.gather(*pending)

    async def play(self, live: Iterable[LabelledEvent], now_ms: Callable[[], int]) -> None:
        """Send every event when it is due; ends when the world does."""
        for labelled in live:
            ahead_ms = labelled.event.ts - now_ms()
            if ahead_ms > 0:
                await asyncio.sleep(ahead_ms / 1_000)
            self._state.sent += 1
            if labelled.is_attack or _through_gateway(labelled.event.account_id):
                await self._slots.acquire()
                task = asyncio.create_task(self._ask(labelled.event))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                await self._produce(labelled.event)

    async def _produce(self, event: RequestEvent) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = await self._producer.send(
            self._stack.names.requests, encode_request(event), key=event.account_id.encode(), timestamp_ms=event.ts
        )
        return future

    async def _ask(self, event: RequestEvent) -> None:
        try:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._http.post(PATH, json=_body(event), headers=_headers(event)) as response:
                    await response.read()
                    self._state.side_of(event.account_id).note(self._seconds(), response.status, event.ts)
        finally:
            self._slots.release()


def _through_gateway(account: str) -> bool:
    return zlib.crc32(account.encode()) % 1_000 < BENIGN_THROUGH_GATEWAY * 1_000


def _body(event: RequestEvent) -> dict[str, Any]:
    messages = [{"role": "user", "content": event.prompt or ""}]
    if event.system_prompt:
        messages.insert(0, {"role": "system", "content": event.system_prompt})
    copied = ("model", "max_tokens", "temperature", "top_p", "n", "stream", "logprobs", "top_logprobs", "seed")
    body = {name: value for name in copied if (value := getattr(event, name)) is not None}
    return body | {"messages": messages}


def _headers(event: RequestEvent) -> dict[str, str]:
    """What an authenticating edge would add, and how long the echo model's answer should be."""
    said = (
        "account_id api_key_id org_id conversation_id turn plan payment_id account_created_at"
        " client_ip client_asn client_country client_ja4"
    )
    headers = {
        f"x-stillwatch-{name.replace('_', '-')}": str(value)
        for name in said.split()
        if (value := getattr(event, name)) is not None
    }
    if event.user_agent:
        headers["user-agent"] = event.user_agent
    return headers | {"x-echo-words": str(event.output_tokens or 100)}
