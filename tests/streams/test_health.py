"""The health server answers three paths, over real HTTP, and says why it is not ready."""

from __future__ import annotations

import socket

import httpx
import pytest
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.health import HealthServer
from stillwatch_streams.metrics import Metrics


async def test_paths_over_http() -> None:
    problems: list[str] = ["recovering"]
    metrics = Metrics()
    metrics.events.labels("account").inc(3)
    server = HealthServer(problems=lambda: problems, metrics=metrics.render)
    port = await server.start("127.0.0.1", 0)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz?verbose=1")
        assert (answer.status_code, answer.text) == (503, "recovering\n")
        problems.clear()
        assert (await client.get("/readyz")).status_code == 200
        assert 'stillwatch_events_total{agent="account"} 3.0' in (await client.get("/metrics")).text
        assert (await client.get("/else")).status_code == 404
        assert (await client.post("/healthz")).status_code == 405
    await server.stop()


async def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = HealthServer(problems=list, metrics=bytes)
        with pytest.raises(ConfigError, match=str(port)):
            await server.start("127.0.0.1", port)


async def test_garbage_does_not_stop_it() -> None:
    server = HealthServer(problems=list, metrics=bytes)
    port = await server.start("127.0.0.1", 0)
    for junk in (b"\x16\x03\x01\x02\n\n", b"GET\n\n", b"x" * 100_000):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(junk)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    await server.stop()
