"""One server as a child process on loopback: free port, log file, readiness, stop by pid.

The embedded broker and, in tests, the Apache Kafka node are both run through here, so that both are watched the same
way: ready means that the server answered a Kafka metadata request naming at least one live broker, not that a port
was open; a server that exits while we wait is reported with the end of its log.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from stillwatch_schemas.errors import BrokerError

LOOPBACK = "127.0.0.1"

_TIED = str(Path(__file__).with_name("tied.py"))
_POLL_SECONDS, _ANSWER_SECONDS = 0.01, 1.0
_LOG_TAIL_LINES = 5
_CORRELATION = 7
# Metadata request, version 1, client id "stillwatch", no topics: the smallest question only a working broker answers.
_METADATA_REQUEST = struct.pack(">hhih10si", 3, 1, _CORRELATION, 10, b"stillwatch", 0)


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free_port(port: int) -> int:
    """Return `port` if we could listen on it; raise BrokerError naming it otherwise."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection that lingers is no listener
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise BrokerError(
                f"Can't listen on {LOOPBACK}:{port} ({error.strerror}): stop what uses it, or take another port."
            ) from error
    return port


def live_brokers(port: int) -> int:
    """Ask the broker on loopback `port` how many live brokers its cluster has; 0 without an answer within a second."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(struct.pack(">i", len(_METADATA_REQUEST)) + _METADATA_REQUEST)
            with connection.makefile("rb") as reply:
                head = reply.read(12)
    except OSError:
        return 0
    if len(head) < 12:  # noqa: PLR2004 - length, correlation id and broker count are four bytes each
        return 0
    _, correlation, brokers = struct.unpack(">iii", head)
    return int(brokers) if correlation == _CORRELATION else 0


class ServerProcess:
    """A child process that speaks Kafka on a loopback port; it dies with us, however we die."""

    def __init__(self, name: str, command: Sequence[str], *, port: int, log: Path) -> None:
        self.name = name
        self.port = port
        self.log = log
        self._command = [sys.executable, "-I", "-S", _TIED, str(os.getpid()), *command]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port`, as Kafka clients want it."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """The server's process id; raises BrokerError when it isn't running."""
        if self._process is None:
            raise BrokerError(f"{self.name} isn't running: start it first.")
        return self._process.pid

    def spawn(self) -> None:
        """Start the process without waiting for it; its output is appended to the log file."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            # Its own process group: Ctrl-C at the terminal reaches us first, and we stop the server last.
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours, no shell, no outside input
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )

    def wait_ready(self, timeout_seconds: float) -> None:
        """Return once the server answers a metadata request; raise BrokerError (and stop it) otherwise."""
        deadline = time.monotonic() + timeout_seconds
        while not live_brokers(self.port):
            code = None if self._process is None else self._process.poll()
            if self._process is None or code is not None:
                self._process = None
                raise BrokerError(f"{self.name} ended with exit code {code} while starting. {self._log_tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise BrokerError(
                    f"{self.name} did not answer on {self.bootstrap} within {timeout_seconds:g} s. {self._log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def exit_code(self) -> int | None:
        """Exit code of a server that ended by itself; None while it runs or when it was never started."""
        return None if self._process is None else self._process.poll()

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Ask the server to end (SIGTERM), insist after `timeout_seconds` (SIGKILL); nothing to do when it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End the server at once (SIGKILL), as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def _log_tail(self) -> str:
        try:
            text = self.log.read_text(errors="replace").strip().splitlines()[-_LOG_TAIL_LINES:]
        except OSError:
            text = []
        return f"Its log {self.log} ends with: " + (" | ".join(text) if text else "nothing")
