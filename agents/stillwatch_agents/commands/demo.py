"""`stillwatch demo`: see the whole system find two campaigns, on this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from stillwatch_agents.commands.options import AsJson

DEFAULT_SPEED = 60.0


def demo(
    *,
    duration: Annotated[float | None, typer.Option(min=1.0, help="Stop after so many seconds; else Ctrl-C.")] = None,
    speed: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Time lapse: 60 plays an hour of the world in a minute.")
    ] = DEFAULT_SPEED,
    seed: Annotated[int, typer.Option(help="Another seed is another world.")] = 1,
    bootstrap: Annotated[
        str | None, typer.Option(help="Use this Kafka (host:port) instead of the embedded broker.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run broker, worker, gateway and traffic with two campaigns inside, and watch them being found and slowed down.

    Example: stillwatch demo --duration 120
    """
    from stillwatch_agents.demo.director import GOING_ON, Options, run_demo  # noqa: PLC0415  # keeps other commands quick
    from stillwatch_agents.demo.summary import as_text  # noqa: PLC0415  # as above

    console = Console(stderr=as_json)
    screen = sys.stdout.isatty() and not as_json
    options = Options(
        duration_seconds=duration, speed=speed, seed=seed, bootstrap=bootstrap, screen=screen, quiet=as_json
    )
    summary = run_demo(options, console)
    if as_json:
        typer.echo(msgspec.json.encode(summary))
        return
    typer.echo(as_text(summary))
    typer.echo(GOING_ON)
