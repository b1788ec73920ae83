"""The middleware over HTTP (httpx's ASGI transport), without Kafka: the emitter's queue shows what it would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from stillwatch_schemas import signing
from stillwatch_schemas.codec import encode_directive
from stillwatch_schemas.directives import Directive, Params
from stillwatch_schemas.fitting import convert_request
from stillwatch_serving.asgi import App, StillwatchMiddleware
from stillwatch_serving.decisions import Identity
from stillwatch_serving.gateway import build_app
from stillwatch_serving.identity import Client, trusted_headers
from stillwatch_serving.node import ServingNode
from stillwatch_serving.settings import BrokerSettings, ServingSettings
from support.builders import T0, make_directive

KEY = signing.generate_key()
CHAT = "/v1/chat/completions"
HELLO = {"model": "aurora-2", "messages": [{"role": "user", "content": "Hello there"}], "max_tokens": 30}
Post = Callable[..., Any]


@pytest.fixture
def node(tmp_path: Path) -> ServingNode:
    public = tmp_path / "policy.pub.pem"
    signing.save_public_key(KEY, public)
    settings = ServingSettings(public_key_path=str(public), node="node-1", max_body_bytes=2_000)
    return ServingNode(BrokerSettings(), settings, now_ms=lambda: T0)


def client_of(app: App) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway")  # type: ignore[arg-type]  # its own ASGI types say the same


@pytest.fixture
async def gateway(node: ServingNode) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(build_app(node, trust_headers=True)) as client:
        yield client


def order(node: ServingNode, **overrides: Any) -> Directive:
    directive = signing.sign(make_directive(**({"mode": "enforce"} | overrides)), KEY)
    applied = node.cache.apply(directive.key.encode(), encode_directive(directive), T0)
    assert applied.outcome == "applied", applied
    return directive


def events(node: ServingNode) -> list[Any]:
    return [convert_request(event) for event in node.emitter._queue]  # type: ignore[arg-type]  # the middleware queues loose fields


def as_account(account: str) -> dict[str, str]:
    return {"x-stillwatch-account-id": account, "user-agent": "sdk/2"}


async def test_an_exchange_becomes_an_event(gateway: httpx.AsyncClient, node: ServingNode) -> None:
    response = await gateway.post(CHAT, json=HELLO, headers=as_account("acct-1"))
    assert response.status_code == 200
    assert "x-stillwatch-directive" not in response.headers
    (event,) = events(node)
    assert (event.account_id, event.model, event.ts) == ("acct-1", "aurora-2", T0)
    assert (event.prompt, event.prompt_chars, event.max_tokens, event.stream) == ("Hello there", 11, 30, False)
    assert (event.status, event.finish_reason, event.user_agent) == (200, "stop", "sdk/2")
    usage = response.json()["usage"]
    assert (event.input_tokens, event.output_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert event.latency_ms >= event.ttft_ms > 0


async def test_a_stream_passes_chunk_by_chunk_and_is_counted(gateway: httpx.AsyncClient, node: ServingNode) -> None:
    response = await gateway.post(CHAT, json=HELLO | {"stream": True}, headers=as_account("acct-1"))
    assert response.text.endswith("data: [DONE]\n\n")
    (event,) = events(node)
    assert (event.stream, event.status, event.finish_reason) == (True, 200, "stop")
    assert event.output_tokens > 0


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/messages"])
async def test_the_other_routes_are_watched_too(path: str, gateway: httpx.AsyncClient, node: ServingNode) -> None:
    body = HELLO if path == "/v1/messages" else {"model": "aurora-2", "prompt": "Hello there"}
    response = await gateway.post(path, json=body, headers=as_account("acct-1"))
    assert response.status_code == 200
    (event,) = events(node)
    assert (event.prompt, event.status) == ("Hello there", 200)
    assert event.operation == ("text_completion" if path == "/v1/completions" else "chat")
    assert event.output_tokens > 0


async def test_a_throttled_account_meets_429_and_others_do_not(gateway: httpx.AsyncClient, node: ServingNode) -> None:
    directive = order(node, params=Params(rpm=6, retry_after_s=30))
    first, second = [await gateway.post(CHAT, json=HELLO, headers=as_account("acct-1")) for _ in range(2)]
    other = await gateway.post(CHAT, json=HELLO, headers=as_account("acct-2"))
    assert [first.status_code, second.status_code, other.status_code] == [200, 429, 200]
    assert second.headers["retry-after"] == "30"
    assert second.json()["error"]["code"] == "rate_limit_exceeded"
    assert first.headers["x-stillwatch-directive"] == second.headers["x-stillwatch-directive"] == directive.directive_id
    assert [(e.status, e.directive_ids) for e in events(node)] == [(200, ("dir-1",)), (429, ("dir-1",)), (200, ())]


async def test_a_suspended_account_never_reaches_the_model(node: ServingNode) -> None:
    order(node, action="suspend", params=Params(http_status=451, reason_code="tos"))

    async def model(_scope: object, _receive: object, _send: object) -> None:
        pytest.fail("the model was asked")

    async with client_of(StillwatchMiddleware(model, node, identify=trusted_headers)) as client:
        openai = await client.post(CHAT, json=HELLO, headers=as_account("acct-1"))
        anthropic = await client.post("/v1/messages", json=HELLO, headers=as_account("acct-1"))
    assert (openai.status_code, openai.json()["error"]["code"]) == (451, "tos")
    assert anthropic.json()["type"] == "error"
    assert [event.status for event in events(node)] == [451, 451]


async def test_covert_directives_reach_the_model_and_not_the_client(node: ServingNode) -> None:
    order(node, action="canary", params=Params(set_id="set-1", rate=1.0))
    seen: list[Any] = []

    async def model(scope: Any, _receive: object, send: Any) -> None:
        exchange = scope["stillwatch"]
        seen.append(exchange.decision.instructions)
        exchange.canary_ids.append("canary-7")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async with client_of(StillwatchMiddleware(model, node, identify=trusted_headers)) as client:
        response = await client.post(CHAT, json=HELLO, headers=as_account("acct-1"))
    assert (seen[0].set_id, seen[0].rate) == ("set-1", 1.0)
    assert "x-stillwatch-directive" not in response.headers
    (event,) = events(node)
    assert (event.canary_ids, event.directive_ids) == (("canary-7",), ("dir-1",))


async def test_a_forged_directive_changes_nothing(gateway: httpx.AsyncClient, node: ServingNode) -> None:
    forged = signing.sign(make_directive(mode="enforce", action="suspend"), signing.generate_key())
    assert node.cache.apply(forged.key.encode(), encode_directive(forged), T0).outcome == "bad_signature"
    assert (await gateway.post(CHAT, json=HELLO, headers=as_account("acct-1"))).status_code == 200


async def test_concurrency_is_freed_even_when_the_model_fails(node: ServingNode) -> None:
    order(node, params=Params(concurrency=1))

    async def broken(_scope: object, _receive: object, _send: object) -> None:
        raise RuntimeError("out of memory")

    async with client_of(StillwatchMiddleware(broken, node, identify=trusted_headers)) as client:
        for _ in range(3):
            with pytest.raises(RuntimeError):
                await client.post(CHAT, json=HELLO, headers=as_account("acct-1"))
    assert [event.status for event in events(node)] == [500, 500, 500]


async def test_a_client_that_goes_away_is_recorded_and_freed(node: ServingNode) -> None:
    order(node, params=Params(concurrency=1))
    entered = asyncio.Event()

    async def slow(_scope: object, _receive: object, _send: object) -> None:
        entered.set()
        await asyncio.Event().wait()

    async with client_of(StillwatchMiddleware(slow, node, identify=trusted_headers)) as client:
        request = asyncio.create_task(client.post(CHAT, json=HELLO, headers=as_account("acct-1")))
        await entered.wait()
        assert node._oldest_running_ms() == T0
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    assert [event.status for event in events(node)] == [499]
    assert node._oldest_running_ms() is None


async def test_an_oversized_body_is_refused_before_it_is_held(gateway: httpx.AsyncClient, node: ServingNode) -> None:
    response = await gateway.post(CHAT, content=b"x" * 2_001)
    assert response.status_code == 413
    assert (await gateway.post(CHAT, content=b"x" * 2_000)).status_code == 400
    assert len(events(node)) == 1


async def test_other_paths_pass_untouched(gateway: httpx.AsyncClient, node: ServingNode) -> None:
    assert (await gateway.get("/healthz")).json() == {"status": "alive"}
    assert (await gateway.get("/readyz")).status_code == 503
    assert (await gateway.get(CHAT)).status_code == 405
    assert events(node) == []


async def test_the_request_reaches_the_app_byte_for_byte(node: ServingNode) -> None:
    seen: list[bytes] = []

    async def model(_scope: object, receive: Any, send: Any) -> None:
        seen.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
        await send({"type": "http.response.body", "body": b"not json"})

    body = b'{"model": "m",  "unknown": [1, 2.50], "messages": []}'
    async with client_of(StillwatchMiddleware(model, node)) as client:
        response = await client.post(CHAT, content=body, headers={"authorization": "Bearer sk-1"})
    assert seen == [body]
    assert (response.content, response.headers["x-own"]) == (b"not json", "1")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"messages":[{"role":[]}]}', b'{"temperature":"hot","user":{},"model":7}', b"\xff\xfe"]
)
async def test_strange_bodies_are_the_models_business_and_still_give_an_event(
    body: bytes, gateway: httpx.AsyncClient, node: ServingNode
) -> None:
    assert (await gateway.post(CHAT, content=body)).status_code == 400
    (event,) = events(node)
    assert (event.model, event.status) == ("unknown", 400)


async def test_the_state_page_tells_what_is_in_force(gateway: httpx.AsyncClient, node: ServingNode) -> None:
    order(node, params=Params(rpm=1))
    await gateway.post(CHAT, json=HELLO, headers=as_account("acct-1"))
    state = msgspec.json.decode((await gateway.get("/stillwatch")).content)
    assert [(d["key"], d["mode"]) for d in state["directives"]] == [("account:acct-1", "enforce")]
    assert state["verdicts"] == {"allow": 1}
    assert state["hits"] == {"throttle/enforce": 1}


async def test_an_event_that_cannot_be_made_spoils_no_answer_and_holds_no_slot(node: ServingNode) -> None:
    order(node, params=Params(concurrency=1))

    def careless(_scope: object) -> Client:
        return Client(identity=Identity(account_id="acct-1"), facts=None)  # type: ignore[arg-type]  # a host's mistake

    async with client_of(StillwatchMiddleware(build_app(node), node, identify=careless)) as client:
        for _ in range(2):
            assert (await client.post(CHAT, json=HELLO)).status_code == 200
    assert node.emitter.counts["unfit"] == 2
