"""`stillwatch broker`: the embedded broker in the foreground, for trying things out."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Annotated

import typer
from stillwatch_schemas.errors import BrokerError
from stillwatch_streams.embedded import EmbeddedBroker

_WATCH_SECONDS = 0.5


def broker(
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port on 127.0.0.1; 0 picks a free one.")] = 9092,
) -> None:
    """Run the embedded broker until Ctrl-C. Memory only: what it holds is gone when it stops.

    Example: stillwatch broker --port 9092
    """
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    with EmbeddedBroker(port) as running:
        typer.echo(f"{running.version} listens on {running.bootstrap} (Ctrl-C stops it).")
        typer.echo("Memory only: messages, topics and committed offsets are gone when it stops. Not for production.")
        while not stopped.wait(_WATCH_SECONDS):
            if (code := running.exit_code()) is not None:
                raise BrokerError(f"The embedded broker ended by itself with exit code {code}.")
    typer.echo("Stopped.")
