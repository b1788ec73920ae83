"""The demo gateway as a real process: HTTP in, events out, directives obeyed, a clean end."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from stillwatch_schemas import signing
from stillwatch_schemas.acks import Ack
from stillwatch_schemas.codec import decode_request, encode_directive
from stillwatch_schemas.directives import Params
from stillwatch_schemas.topics import ENFORCEMENT, ENFORCEMENT_ACKS, REQUESTS
from stillwatch_streams.server_process import free_port
from support.brokers import Broker
from support.builders import make_directive
from support.kafka_io import Message, create_topics, produce, read_all
from support.waiting import until

CHAT = "/v1/chat/completions"
HELLO = {"model": "aurora-2", "messages": [{"role": "user", "content": "Hello there"}]}
MODULE = [sys.executable, "-m", "stillwatch_serving.gateway"]


@contextlib.asynccontextmanager
async def running_gateway(*options: str) -> AsyncIterator[tuple[subprocess.Popen[bytes], httpx.AsyncClient]]:
    port = free_port()
    command = [*MODULE, "--port", str(port), "--trust-headers", *options]
    process = subprocess.Popen(command)  # noqa: ASYNC220  # starting blocks for a moment, waiting is done by HTTP
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            await until(lambda: answers(client), seconds=20, what="the gateway")
            yield process, client
    finally:
        process.terminate()
        process.wait(20)


async def answers(client: httpx.AsyncClient) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await client.get("/healthz")).status_code == 200
    return False


async def is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


def directive_now(**overrides: Any) -> Message:
    at = time.time_ns() // 1_000_000
    times = {"issued_at": at, "not_before": at, "expires_at": at + 600_000}
    directive = make_directive(mode="enforce", **(times | overrides))
    return Message(encode_directive(signing.sign(directive, KEY)), key=directive.key.encode())


KEY = signing.generate_key()


@pytest.mark.kafka
@pytest.mark.slow
async def test_from_a_request_to_its_event_and_from_a_directive_to_its_effect(
    fresh_broker: Broker, tmp_path: Path
) -> None:
    bootstrap, public = fresh_broker.bootstrap, tmp_path / "policy.pub.pem"
    signing.save_public_key(KEY, public)
    await create_topics(bootstrap, [REQUESTS.name, ENFORCEMENT.name, ENFORCEMENT_ACKS.name])
    options = ("--bootstrap", bootstrap, "--public-key", str(public), "--node", "gw-1")
    async with running_gateway(*options) as (process, client):
        await until(lambda: is_ready(client), what="the directives read")

        async def status(account: str) -> int:
            return (await client.post(CHAT, json=HELLO, headers={"x-stillwatch-account-id": account})).status_code

        assert await status("acct-1") == 200
        await produce(bootstrap, ENFORCEMENT.name, [directive_now(action="suspend", params=Params(http_status=403))])
        await until(lambda: is_status(client, "acct-1", 403), what="the suspension in force")
        assert await status("acct-2") == 200
        await produce(bootstrap, ENFORCEMENT.name, [Message(None, key=b"account:acct-1")])
        await until(lambda: is_status(client, "acct-1", 200), what="the release")
        process.terminate()
        assert process.wait(20) == 0
    events = [decode_request(r.value) for r in await read_all(bootstrap, REQUESTS.name) if r.value]
    assert [(e.account_id, e.status) for e in events][:1] == [("acct-1", 200)]
    assert ("acct-1", 403, ("dir-1",)) in {(e.account_id, e.status, e.directive_ids) for e in events}
    acks = [msgspec.json.decode(r.value or b"", type=Ack) for r in await read_all(bootstrap, ENFORCEMENT_ACKS.name)]
    assert [(ack.outcome, ack.mode, ack.node) for ack in acks] == [
        ("applied", "enforce", "gw-1"),
        ("enforced", "enforce", "gw-1"),
        ("released", "enforce", "gw-1"),
    ]


async def is_status(client: httpx.AsyncClient, account: str, wanted: int) -> bool:
    response = await client.post(CHAT, json=HELLO, headers={"x-stillwatch-account-id": account})
    return response.status_code == wanted


@pytest.mark.slow
async def test_without_kafka_the_api_works_and_the_process_ends_promptly() -> None:
    async with running_gateway("--bootstrap", "127.0.0.1:1") as (process, client):
        assert (await client.post(CHAT, json=HELLO)).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        began = time.monotonic()
        process.terminate()
        assert process.wait(20) == 0
        assert time.monotonic() - began < 10


def test_a_wrong_key_file_is_one_clear_line_and_exit_code_2(tmp_path: Path) -> None:
    missing = tmp_path / "absent.pem"
    done = subprocess.run([*MODULE, "--public-key", str(missing)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert str(missing) in done.stderr
    assert "Traceback" not in done.stderr
