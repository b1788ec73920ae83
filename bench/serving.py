"""What the serving side costs a request: decisions, lookups, emission, and the middleware as a whole.

    python bench/serving.py [--directives 100000]

Prints medians and 99th percentiles in microseconds, measured one call at a time (the timer's own cost included).
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any

import msgspec
from stillwatch_schemas import signing
from stillwatch_schemas.codec import encode_directive
from stillwatch_schemas.directives import Directive, Params
from stillwatch_serving.asgi import StillwatchMiddleware
from stillwatch_serving.cache import DirectiveCache
from stillwatch_serving.decisions import Decider, Identity
from stillwatch_serving.identity import trusted_headers
from stillwatch_serving.node import ServingNode
from stillwatch_serving.settings import BrokerSettings, ServingSettings

CALLS = 50_000


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def directive(number: int) -> Directive:
    """A throttle that never refuses, on one account."""
    at = now_ms()
    return Directive(
        directive_id=f"dir-{number}",
        revision=1,
        scope="account",
        subject=f"acct-{number}",
        action="throttle",
        mode="enforce",
        issued_at=at,
        not_before=at,
        expires_at=at + 3_600_000,
        finding_uid=f"inc-{number}",
        reason="distillation, high",
        issued_by="policy",
        params=Params(rpm=1_000_000, tpm=1_000_000_000, concurrency=1_000_000, retry_after_s=30),
    )


def measure(name: str, call: Callable[[], object], calls: int = CALLS) -> None:
    """Time each call and print p50 and p99."""
    times = []
    for _ in range(calls):
        began = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - began) / 1_000)
    print(f"{name:<58} p50 {median(times):8.2f} us   p99 {quantiles(times, n=100)[98]:8.2f} us")


def fill(count: int) -> DirectiveCache:
    """A cache with so many directives; prints what taking them over costs."""
    key = signing.generate_key()
    public = key.public_key()
    cache = DirectiveCache(lambda value: signing.verify_value(value, public))
    signed = [signing.sign(directive(number), key) for number in range(count)]
    records = [(d.key.encode(), encode_directive(d)) for d in signed]
    began = time.perf_counter()
    for record_key, value in records:
        cache.apply(record_key, value, now_ms())
    each = (time.perf_counter() - began) / count * 1e6
    print(f"{'take over one signed directive (decode, verify, hold)':<58} mean {each:6.1f} us   ({count:,} of them)")
    return cache


async def through_http(node: ServingNode) -> None:
    """One request through the middleware and back, without sockets, against the same app without it."""
    answer = msgspec.json.encode({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 40}})

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": answer})

    body = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "word " * 60}]})
    headers = [(b"x-stillwatch-account-id", b"acct-7"), (b"user-agent", b"sdk/1")]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_message: Any) -> None:
        return None

    wrapped = StillwatchMiddleware(app, node, identify=trusted_headers)
    for name, target in (("the app alone", app), ("the app behind the middleware", wrapped)):
        times = []
        for _ in range(CALLS // 5):
            scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
            began = time.perf_counter_ns()
            await target(scope, receive, send)
            times.append((time.perf_counter_ns() - began) / 1_000)
        print(f"{name:<58} p50 {median(times):8.2f} us   p99 {quantiles(times, n=100)[98]:8.2f} us")


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directives", type=int, default=100_000)
    cache = fill(parser.parse_args().directives)
    decider = Decider(cache)
    free = Identity(account_id="nobody", api_key_id="key-1", org_id="org-1", asn=64500)
    held = Identity(account_id="acct-7", api_key_id="key-1", org_id="org-1", asn=64500)
    at = now_ms()
    measure("cache lookup", lambda: cache.get("account", "acct-7", at))
    measure("decide: nothing held on any of four scopes", lambda: decider.decide(free, at))
    measure("decide and settle: throttled account, let through", lambda: decider.settle(decider.decide(held, at), 40))
    asyncio.run(through_http(ServingNode(BrokerSettings(), ServingSettings())))


if __name__ == "__main__":
    main()
