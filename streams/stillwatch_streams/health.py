"""`/healthz`, `/readyz` and `/metrics` on a small HTTP server of our own: three paths, GET only, nothing to configure.

No authentication, so it listens on loopback unless `service.http_host` says otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from http import HTTPStatus

from stillwatch_schemas.errors import ConfigError

TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
READ_SECONDS = 5.0
LONGEST_LINE = 4096


class HealthServer:
    """Serves liveness, readiness and metrics while the worker runs."""

    def __init__(self, *, problems: Callable[[], list[str]], metrics: Callable[[], bytes]) -> None:
        self._problems = problems
        self._metrics = metrics
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which is another than asked for where that is 0."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=LONGEST_LINE)
        except OSError as error:
            raise ConfigError(
                f"Can't listen on {host}:{port} for health and metrics ({error.strerror}): stop what uses it, or set"
                " service.http_port (0 picks a free port)."
            ) from error
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def answer(self, method: str, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Status, content type and body for a request."""
        if method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, TEXT, b"GET only\n"
        match path.partition("?")[0]:
            case "/healthz":
                return HTTPStatus.OK, TEXT, b"alive\n"
            case "/readyz":
                problems = self._problems()
                status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
                return status, TEXT, ("\n".join(problems) or "ready").encode() + b"\n"
            case "/metrics":
                return HTTPStatus.OK, METRICS, self._metrics()
        return HTTPStatus.NOT_FOUND, TEXT, b"paths: /healthz /readyz /metrics\n"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(READ_SECONDS):
                request = (await reader.readline()).decode("latin-1").split()
                while (await reader.readline()).strip():
                    pass
                if len(request) >= 2:  # noqa: PLR2004 - method and path
                    writer.write(_response(*self.answer(request[0], request[1])))
                    await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _response(status: HTTPStatus, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return (head + "Connection: close\r\n\r\n").encode("latin-1") + body
